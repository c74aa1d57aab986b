"""A file leaves whole or not at all, never over another, and is read back."""

import errno
import hashlib
import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_fea.clinic.outlet import HashingWriter, digest, translated_output, write_whole
from edge_fea.errors import (
    NotFoundError,
    OutputDamaged,
    OutputExists,
    OutputFull,
    OutputUnwritable,
)
from tests.store.conftest import public_folder, unprivileged

__all__ = ["public_folder", "unprivileged"]

DATA = bytes(range(256)) * 9000


def put(data: bytes = DATA) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        out.write(data)

    return write


def fail_with(error: BaseException) -> Callable[[BinaryIO], None]:
    def write(out: BinaryIO) -> None:
        out.write(DATA)
        raise error

    return write


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out" / "clips.csv"


@pytest.fixture(autouse=True)
def _folder(target: Path) -> None:
    target.parent.mkdir()


def names(target: Path) -> list[str]:
    return sorted(each.name for each in target.parent.iterdir())


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, len(DATA)])
def test_a_file_is_what_was_written_with_its_size_and_hash(target: Path, size: int) -> None:
    written = write_whole(target, put(DATA[:size]))
    assert target.read_bytes() == DATA[:size]
    assert written.path == target
    assert (written.size, written.sha256) == (size, hashlib.sha256(DATA[:size]).hexdigest())
    assert digest(target) == (size, written.sha256)
    assert names(target) == ["clips.csv"]


def test_only_the_owner_may_read_it_whatever_the_umask(target: Path) -> None:
    before = os.umask(0)
    try:
        write_whole(target, put())
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_writer_may_go_back(target: Path) -> None:
    def write(out: BinaryIO) -> None:
        out.write(b"????tail")
        out.seek(0)
        out.write(b"head")

    written = write_whole(target, write)
    assert target.read_bytes() == b"headtail"
    assert written.sha256 == hashlib.sha256(b"headtail").hexdigest()


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_is_left_as_it_is(
    target: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    target.write_text("mine")
    with pytest.raises(OutputExists, match="is left as it is"):
        write_whole(target, put())
    assert target.read_text() == "mine"
    assert names(target) == ["clips.csv"]


def test_a_dangling_link_is_a_name_that_is_taken(target: Path) -> None:
    target.symlink_to(target.parent / "nowhere")
    with pytest.raises(OutputExists):
        write_whole(target, put())
    assert names(target) == ["clips.csv"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_in_the_meantime_is_left_as_it_is(
    target: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)

    def write(out: BinaryIO) -> None:
        out.write(DATA)
        target.write_text("somebody was faster")

    with pytest.raises(OutputExists):
        write_whole(target, write)
    assert target.read_text() == "somebody was faster"
    assert names(target) == ["clips.csv"]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_a_stick_whose_file_system_has_no_links_gets_the_file_too(
    target: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    write_whole(target, put())
    assert target.read_bytes() == DATA
    assert names(target) == ["clips.csv"]


@pytest.mark.parametrize(
    "error", [ValueError("bug"), NotFoundError("no clips"), KeyboardInterrupt(), SystemExit(1)]
)
def test_when_the_writer_fails_nothing_is_left_and_its_error_is_raised(
    target: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)) as raised:
        write_whole(target, fail_with(error))
    assert raised.value is error
    assert names(target) == []


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (errno.ENOSPC, OutputFull, "no space left for .*clips.csv: nothing was left there"),
        (errno.EDQUOT, OutputFull, "no space left"),
        (errno.EIO, OutputUnwritable, "cannot write .*clips.csv: Input/output error"),
        (errno.EROFS, OutputUnwritable, "Read-only file system"),
    ],
)
def test_what_the_system_says_is_told_with_the_files_name(
    target: Path, code: int, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        write_whole(target, fail_with(OSError(code, os.strerror(code))))
    assert names(target) == []


def test_a_folder_that_is_not_there_is_named(target: Path) -> None:
    with pytest.raises(OutputUnwritable, match=f"there is no folder {target.parent}/none"):
        write_whole(target.parent / "none" / "clips.csv", put())


def test_a_folder_that_may_not_be_written_is_named(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    public_folder.chmod(0o555)
    with unprivileged(), pytest.raises(OutputUnwritable, match="Permission denied"):
        write_whole(public_folder / "clips.csv", put())


def test_a_medium_that_gives_back_something_else_is_found_out(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stick that says it took everything: the first read is from memory, the second is not."""

    def forget(path: Path) -> tuple[int, str]:
        path.write_bytes(DATA[:-1] + b"?")
        return digest(path)

    monkeypatch.setattr("edge_fea.clinic.outlet.digest", forget)
    with pytest.raises(OutputDamaged, match="what was read back is not what was written"):
        write_whole(target, put())
    assert names(target) == []


def test_what_a_check_refuses_never_gets_its_name(target: Path) -> None:
    seen: list[bytes] = []

    def check(partial: Path) -> None:
        seen.append(partial.read_bytes())
        raise OutputDamaged("not readable as csv")

    with pytest.raises(OutputDamaged, match="not readable"):
        write_whole(target, put(), check)
    assert seen == [DATA]
    assert names(target) == []


def test_the_name_of_a_pseudonymous_file_is_hidden_while_it_is_written(target: Path) -> None:
    seen: list[list[str]] = []

    def write(out: BinaryIO) -> None:
        seen.append(names(target))

    write_whole(target, write)
    ((partial,),) = seen
    assert partial.startswith(".clips.csv.")
    assert partial.endswith(".partial")


def test_a_stream_is_hashed_as_it_passes() -> None:
    out = io.BytesIO()
    hashed = HashingWriter(out)
    for start in range(0, len(DATA), 1000):
        hashed.write(DATA[start : start + 1000])
    hashed.flush()
    assert out.getvalue() == DATA
    assert (hashed.size, hashed.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())


def test_a_stream_that_breaks_is_named() -> None:
    message = "cannot write standard output: Broken pipe"
    with (
        pytest.raises(OutputUnwritable, match=message),
        translated_output(Path("standard output")),
    ):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
