"""How a file leaves the device: whole or not at all, never over another, and read back."""

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from edge_fea.errors import (
    ClinicError,
    OutputDamaged,
    OutputExists,
    OutputFull,
    OutputUnwritable,
)

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """A file that has left, as it was read back."""

    path: Path
    size: int
    sha256: str


def write_whole(
    path: Path,
    write: Callable[[BinaryIO], None],
    check: Callable[[Path], None] | None = None,
) -> Written:
    """Let ``write`` fill a file that then stands under ``path``, whole, synced and read back.

    It is written under another name in the same folder and gets its own by a link, which fails
    where the name is taken; file systems without links (vfat, exFAT) get a rename after a check.
    Whatever goes wrong, nothing stands under ``path`` and the other name is gone. ``check`` may
    read the file before it gets its name, and raise.

    Raises OutputExists, OutputUnwritable, OutputFull or OutputDamaged.
    """
    refuse_taken(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with translated_output(path):
        try:
            hashed = _write(partial, write)
            _check(partial, hashed, path)
            if check is not None:
                check(partial)
            _name(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    return Written(path, *hashed)


def refuse_taken(path: Path) -> None:
    """Raise OutputExists where something of that name is there, OutputUnwritable without folder."""
    if os.path.lexists(path):
        raise OutputExists(f"{path} is there already, and is left as it is: give another name")
    if not path.parent.is_dir():
        raise OutputUnwritable(f"cannot write {path}: there is no folder {path.parent}")


def digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file, from the medium rather than from memory where that is possible.

    The pages that were just written are dropped from the cache first, so that a stick that lies
    about what it took is found out.
    """
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        # Not on a clinician's Mac; what is written there is read back from memory.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while block := file.read(_BLOCK):
            hashed.update(block)
            size += len(block)
    return size, hashed.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def translated_output(path: Path) -> Iterator[None]:
    """Raise OutputFull or OutputUnwritable, naming ``path``, for the system's OSError."""
    try:
        yield
    except ClinicError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputFull(f"no space left for {path}: nothing was left there") from error
        raise OutputUnwritable(f"cannot write {path}: {error.strerror}") from error


class Sink(Protocol):
    """Where bytes go: a file, a pipe, an archive. It need not be able to seek."""

    def write(self, data: bytes, /) -> int:
        """Take all of ``data``."""
        ...

    def flush(self) -> None:
        """Let go of what is held back."""
        ...


class HashingWriter:
    """Passes bytes on to ``out`` and keeps their number and hash."""

    def __init__(self, out: Sink) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        """Pass ``data`` on."""
        self._hash.update(data)
        self.size += len(data)
        return self._out.write(data)

    def flush(self) -> None:
        """Flush what ``out`` holds back."""
        self._out.flush()

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was written, hexadecimal."""
        return self._hash.hexdigest()


def _write(partial: Path, write: Callable[[BinaryIO], None]) -> tuple[int, str]:
    # Summaries of a patient: nobody but the owner may read them unless he says so.
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    # Hashed from what the file system has now: writers may seek (zip, parquet).
    with partial.open("rb") as file:
        return partial.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _check(partial: Path, hashed: tuple[int, str], path: Path) -> None:
    if digest(partial) != hashed:
        raise OutputDamaged(f"{path}: what was read back is not what was written")


def _name(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        raise OutputExists(f"{path} appeared meanwhile, and is left as it is") from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        refuse_taken(path)
        partial.rename(path)
