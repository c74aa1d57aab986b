"""Small files that are there whole or not at all."""

import os
from pathlib import Path

from edge_fea.clinic.outlet import sync_folder


def write_atomically(path: Path, text: str, *, sync: bool = True) -> None:
    """Put ``text`` under ``path``, in place of what was there. Raises OSError.

    Whoever reads sees the former file or the new one, also after the plug was pulled; without
    ``sync``, for files on a file system in memory, only while the machine runs. A file that root
    writes belongs to the owner of its folder, so that the service can read and replace it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
        if sync:
            sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove ``path`` if it is there, so that it stays away after a pulled plug. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
