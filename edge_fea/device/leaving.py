"""Leaving a camera that may have stalled: within a time, whatever its driver does."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, NoReturn

from edge_fea.capture.frame import Source
from edge_fea.errors import SourceStalled

# Stopping a camera that works takes some tenths of a second.
LEAVE_WITHIN_S = 1.5

log = logging.getLogger("edge_fea")


@contextmanager
def held(
    source: Source,
    within: float = LEAVE_WITHIN_S,
    *,
    opening: AbstractContextManager[None] | None = None,
) -> Iterator[Source]:
    """``source``, open; closing it takes at most ``within`` seconds, or it ends the process.

    During a stall libcamera's ``stop()`` blocks with the interpreter lock held: no thread and no
    signal handler of Python's runs. So the kernel is asked to end the process (SIGALRM, by its
    default action) unless the source was closed by then. All that must last is to be saved before
    the block ends. ``opening`` is entered while the source opens. For the main thread, as all that
    has to do with signals.
    """
    former: tuple[Any, tuple[float, float]] | None = None
    try:
        with ExitStack() as stack:
            with opening or nullcontext():
                opened = stack.enter_context(source)
            try:
                yield opened
            finally:
                handler = signal.signal(signal.SIGALRM, signal.SIG_DFL)
                former = handler, signal.setitimer(signal.ITIMER_REAL, within)
    finally:
        if former is not None:
            signal.setitimer(signal.ITIMER_REAL, *former[1])
            signal.signal(signal.SIGALRM, former[0])


def leave_at_once(error: SourceStalled) -> NoReturn:
    """End the process after a stall, without the interpreter's own way out.

    That would run libcamera's destructors, which can block for ever. All that must last is to be
    saved before.
    """
    log.error("edge-fea: %s", error)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(error.exit_code)
