"""SIGTERM and SIGINT: a stop that is quick while waiting for a camera, and never mid-write."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")


class _Interrupted(BaseException):
    """Raised by the signal handler, only inside ``StopRequest.interruptible``."""


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

    def interruptible(self, wait: Callable[[], Result]) -> Result | None:
        """What ``wait`` answers; None when a stop was asked for, before or while it waits.

        Nothing that must be finished belongs in ``wait``.
        """
        # Two layers: a signal may also come while the inner one is on its way out.
        try:
            try:
                self._waiting = True
                return None if self.requested else wait()
            finally:
                self._waiting = False
        except _Interrupted:
            return None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let SIGTERM end the process by itself while the block runs.

        For a camera that is being opened: its software can block with the interpreter lock held,
        and then no handler of Python's runs. All that must last is to be saved before. How such an
        end is told from a crash is said in ``starts``.
        """
        former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            if self.requested:
                # It came after the last look, and comes only once.
                signal.raise_signal(signal.SIGTERM)
            yield
        finally:
            signal.signal(signal.SIGTERM, former)

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
