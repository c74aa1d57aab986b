"""SIGTERM and SIGINT: a stop that is quick while waiting for a frame, and never mid-write."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Interrupted(BaseException):
    """Raised by the signal handler, only inside ``StopRequest.may_interrupt``."""


class StopRequest:
    """Whether somebody asked for the end.

    A signal that comes while the loop waits for a frame breaks the wait off (it may last for the
    whole time-out of a camera that has stalled); one that comes at any other time is only noted.
    """

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False

    def ask(self) -> None:
        """Ask for the end."""
        self.requested = True
        if self._waiting:
            raise _Interrupted

    @contextmanager
    def may_interrupt(self) -> Iterator[None]:
        """A block that a signal leaves at once; nothing that must be finished belongs in it."""
        try:
            self._waiting = True
            if not self.requested:
                yield
        except _Interrupted:
            pass
        finally:
            self._waiting = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT ask for the end; the former handlers come back afterwards."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.ask()

        former = {which: signal.signal(which, handle) for which in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for which, handler in former.items():
                signal.signal(which, handler)
