"""Several files as one: a zip archive that can be streamed and is the same for the same clips."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_fea.clinic.export.form import Sink

_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100600 << 16
_UNIX = 3


class _Forward:
    """A sink without ``tell`` and ``seek``.

    zipfile writes other bytes where it can go back; so a file and a pipe get the same ones.
    """

    def __init__(self, out: Sink) -> None:
        self._out = out

    def write(self, data: bytes, /) -> int:
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        """Whoever opened the sink closes it."""


class Archive:
    """A zip archive under way."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def add(self, name: str, text: str) -> None:
        """Put a small file into it."""
        self._file.writestr(_entry(name), text.encode())

    @contextmanager
    def open(self, name: str) -> Iterator[io.TextIOWrapper]:
        """Put a file of any size into it, as UTF-8 text. One at a time."""
        # Its size is not known yet, and may be beyond what zip without its 64 bits can hold.
        with (
            self._file.open(_entry(name), "w", force_zip64=True) as entry,
            io.TextIOWrapper(entry, "utf-8", newline="") as text,
        ):
            yield text


@contextmanager
def archive(out: Sink) -> Iterator[Archive]:
    """A zip archive that goes to ``out`` as it is filled: no times, no owners."""
    with zipfile.ZipFile(_Forward(out), "w") as file:
        yield Archive(file)


@contextmanager
def member(path: Path, name: str) -> Iterator[io.TextIOWrapper]:
    """Read one file of an archive as UTF-8 text. Raises zipfile.BadZipFile or KeyError."""
    with (
        zipfile.ZipFile(path) as file,
        file.open(name) as entry,
        io.TextIOWrapper(entry, "utf-8", newline="") as text,
    ):
        yield text


def names_in(path: Path, ending: str) -> list[str]:
    """The names of the files in an archive that end so. Raises zipfile.BadZipFile."""
    with zipfile.ZipFile(path) as file:
        return [name for name in file.namelist() if name.endswith(ending)]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _MODE
    entry.create_system = _UNIX
    return entry
