"""How many sessions work at a time: a Pi of 512 MB must go on recording while fifty come at once.

A place is a name in Linux's abstract socket namespace. It needs no folder that somebody may write
in, and the kernel frees it with the process that holds it, however that ends.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from edge_fea.capture.clock import Clock

_PAUSE_S = 0.25


@contextmanager
def turn(name: str, places: int, clock: Clock, patience_s: float) -> Iterator[bool]:
    """Hold one of this user's ``places`` of a ``name`` within the block, after a wait.

    Gives False, and holds nothing, where none came free within ``patience_s`` seconds.
    """
    held = _wait(name, places, clock, patience_s)
    try:
        yield held is not None
    finally:
        if held is not None:
            held.close()


def _wait(name: str, places: int, clock: Clock, patience_s: float) -> socket.socket | None:
    until = clock.monotonic() + patience_s
    while True:
        for place in range(places):
            held = _take(f"\0edge-fea/{os.geteuid()}/{name}/{place}")
            if held is not None:
                return held
        if clock.monotonic() >= until:
            return None
        clock.sleep(_PAUSE_S)


def _take(address: str) -> socket.socket | None:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(address)
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return held
