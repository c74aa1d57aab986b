"""Python's search for garbage, put off while a report is made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Python does not search for garbage meanwhile.

    What a report is made of is all in use: the 25,000 clips of three months, and the boxes of a
    PDF, would be looked through again and again, which takes a fifth of the time.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
