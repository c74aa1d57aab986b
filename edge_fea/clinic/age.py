"""age encryption as a stream, so that a pack of any size takes a few hundred kilobytes of memory.

The format is that of https://age-encryption.org/v1; the library is rage's, through pyrage. It pulls
from a file and pushes into another, so a thread and a pipe stand between it and whoever writes.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

import pyrage
from pyrage import x25519

from edge_fea.errors import PackInvalid

MAGIC = b"age-encryption.org/v1\n"


@contextmanager
def encrypted(out: BinaryIO, recipients: Sequence[x25519.Recipient]) -> Iterator[BinaryIO]:
    """A file to write into; what is written goes to ``out`` encrypted to all ``recipients``.

    The block runs in the caller's thread, since a database connection is bound to its own. When it
    raises, ``out`` is left without an end, so that nobody takes it for a whole one. What ``out``
    raises is raised here.
    """
    read_end, write_end = os.pipe()
    source = _Source(os.fdopen(read_end, "rb"))
    sink = _Sink(out)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            pyrage.encrypt_io(source, sink, recipients)
        except BaseException as error:  # noqa: BLE001  # handed on to the caller's thread
            failures.append(sink.error or error)
        finally:
            # From here on whoever still writes gets a BrokenPipeError.
            source.close()

    worker = threading.Thread(target=work, name="age")
    worker.start()
    pipe = os.fdopen(write_end, "wb")
    try:
        yield pipe
        pipe.flush()
    except BaseException as error:
        cause = failures[0] if failures and isinstance(error, BrokenPipeError) else None
        source.broken = True
        _end(pipe, worker)
        if cause is not None:
            raise cause from None
        raise
    _end(pipe, worker)
    if failures:
        raise failures[0]


def decrypt(source: BinaryIO, out: BinaryIO, identities: Sequence[x25519.Identity]) -> None:
    """Decrypt all of ``source`` into ``out``.

    Raises PackInvalid for the wrong key, and for anything that was changed or cut off; what was
    written until then is not to be used.
    """
    sink = _Sink(out)
    try:
        pyrage.decrypt_io(source, sink, identities)
    except (pyrage.DecryptError, OSError) as error:
        if sink.error is not None:
            raise sink.error from None
        if "No matching keys" in str(error):
            raise PackInvalid(
                "the pack is not for this key, or its head is damaged: it must have been made "
                "after this key's public half was put into the device's settings"
            ) from error
        raise PackInvalid(
            f"the pack is damaged or was changed ({error}): ask for it again"
        ) from error


def _end(pipe: BinaryIO, worker: threading.Thread) -> None:
    # A worker that has failed says why itself.
    with suppress(BrokenPipeError):
        pipe.close()
    worker.join()


class _Source:
    """The reading end; once ``broken`` its end is an error, so that age sets no final mark."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.broken = False

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if not data and self.broken:
            # Not an InterruptedError: rage would read again, for ever.
            raise RuntimeError("whoever writes has given up")
        return data

    def close(self) -> None:
        self._file.close()


class _Sink:
    """Keeps what the file raised: pyrage hands on only its text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()
