"""Which disk a file lies on, as the kernel tells it."""

import os
from pathlib import Path

_SYS = Path("/sys")


def block_device(path: Path, sys: Path = _SYS) -> Path | None:
    """The folder in ``/sys`` of the whole disk that ``path`` lies on.

    An encrypted volume is followed to the disk below it. None for what has no disk, such as a file
    system in memory or on the network. Raises OSError where there is no ``path``.
    """
    number = path.stat().st_dev
    device = sys / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}"
    if not device.exists():
        return None
    device = device.resolve()
    while below := sorted((device / "slaves").glob("*")):
        device = below[0].resolve()
    # A partition's folder lies within that of its disk.
    return device.parent if (device / "partition").exists() else device


def same_disk(one: Path, other: Path, sys: Path = _SYS) -> bool:
    """Whether two paths are lost together when one disk dies. Raises OSError."""
    if one.stat().st_dev == other.stat().st_dev:
        return True
    disk = block_device(one, sys)
    return disk is not None and disk == block_device(other, sys)
