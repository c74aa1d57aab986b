"""What SQLite and the file system refuse becomes the error that says what to do."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_fea.errors import (
    EdgeFeaError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreUnwritable,
)
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.database import require_writable
from edge_fea.store.errors_from_sqlite import translated
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

Unprivileged = Callable[[], AbstractContextManager[None]]


def fill(recorder: ClipRecorder) -> int:
    """Save clips until the database is full; how many went in."""
    pages = recorder.opened.db.conn.execute("PRAGMA page_count").fetchone()[0]
    recorder.opened.db.conn.execute(f"PRAGMA max_page_count={pages + 2}")
    for saved in range(1000):
        try:
            recorder.save(make_clip(5 * saved))
        except StoreFull:
            return saved
    raise AssertionError("never full")


def test_a_full_database_is_told_as_full(recorder: ClipRecorder) -> None:
    fill(recorder)
    with pytest.raises(StoreFull, match=r"no space left for .*everything committed until now"):
        recorder.save(make_clip(9999))


def test_what_was_committed_before_it_was_full_is_kept(recorder: ClipRecorder, path: Path) -> None:
    saved = fill(recorder)
    with ClipReader(path, busy_timeout=1) as reader:
        assert len(list(reader.clips(ClipFilter()))) == saved


def test_once_there_is_space_again_recording_goes_on(recorder: ClipRecorder, path: Path) -> None:
    saved = fill(recorder)
    recorder.opened.db.conn.execute("PRAGMA max_page_count=1000000")
    recorder.save(make_clip(5 * saved))
    with ClipReader(path, busy_timeout=1) as reader:
        assert len(list(reader.clips(ClipFilter()))) == saved + 1


def test_another_processs_write_makes_it_busy_after_the_time_out(
    recorder: ClipRecorder, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match=f"{path} is in use by another process: try again later"):
        recorder.save(make_clip())
    other.close()
    recorder.save(make_clip())


def test_a_database_that_may_only_be_read_is_unwritable(recorder: ClipRecorder) -> None:
    recorder.opened.db.conn.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreUnwritable, match=r"store\.database"):
        recorder.save(make_clip())


def test_a_file_in_a_missing_folder_is_unwritable(tmp_path: Path) -> None:
    path = tmp_path / "none" / "edge-fea.db"
    with pytest.raises(StoreUnwritable), translated(path):
        sqlite3.connect(path)


def test_what_is_no_database_is_damaged(path: Path) -> None:
    path.write_bytes(b"no database " * 999)
    connection = sqlite3.connect(path)
    with pytest.raises(StoreDamaged, match="is damaged"), translated(path):
        connection.execute("SELECT * FROM sqlite_master")
    connection.close()


def test_any_other_error_keeps_sqlites_words(recorder: ClipRecorder, path: Path) -> None:
    with pytest.raises(StoreError, match="no such table: nowhere") as caught, translated(path):
        recorder.opened.db.execute("SELECT * FROM nowhere")
    assert type(caught.value) is StoreError
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


def test_an_error_that_is_not_sqlites_goes_through(path: Path) -> None:
    with pytest.raises(KeyError), translated(path):
        raise KeyError


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match=f"there is no folder {tmp_path / 'none'}"):
        ClipRecorder(tmp_path / "none" / "edge-fea.db", busy_timeout=1, now=NOON)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnwritable, match=f"there is no folder {tmp_path / 'file'}"):
        require_writable(tmp_path / "file" / "edge-fea.db")


@pytest.fixture
def one_clip(public_folder: Path) -> Path:
    path = public_folder / "edge-fea.db"
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip())
    path.chmod(0o644)
    return path


def test_a_folder_that_this_user_cannot_write_is_named(
    public_folder: Path, unprivileged: Unprivileged
) -> None:
    public_folder.chmod(0o555)
    expected = f"this user cannot write in {public_folder}"
    with unprivileged(), pytest.raises(StoreUnwritable, match=expected):
        ClipRecorder(public_folder / "edge-fea.db", busy_timeout=1, now=NOON)


def test_a_file_that_this_user_cannot_write_is_unwritable_from_the_start(
    one_clip: Path, unprivileged: Unprivileged
) -> None:
    one_clip.chmod(0o444)
    one_clip.with_name(one_clip.name + ".lock").unlink()
    one_clip.parent.chmod(0o777)
    with unprivileged(), pytest.raises(StoreUnwritable, match=str(one_clip)):
        ClipRecorder(one_clip, busy_timeout=1, now=NOON)


def test_a_lock_of_another_user_is_unwritable(one_clip: Path, unprivileged: Unprivileged) -> None:
    one_clip.with_name(one_clip.name + ".lock").chmod(0o000)
    one_clip.chmod(0o666)
    one_clip.parent.chmod(0o777)
    with unprivileged(), pytest.raises(StoreUnwritable, match=r"store\.database: cannot write in"):
        ClipRecorder(one_clip, busy_timeout=1, now=NOON)


def test_a_folder_that_this_user_cannot_enter_is_unwritable(
    one_clip: Path, unprivileged: Unprivileged
) -> None:
    one_clip.parent.chmod(0o000)
    with unprivileged(), pytest.raises(StoreUnwritable, match=str(one_clip.parent)):
        ClipRecorder(one_clip, busy_timeout=1, now=NOON)


def test_a_folder_below_one_that_this_user_cannot_enter_is_unwritable(
    public_folder: Path, unprivileged: Unprivileged
) -> None:
    (public_folder / "below").mkdir()
    public_folder.chmod(0o000)
    with unprivileged(), pytest.raises(StoreUnwritable, match="below"):
        require_writable(public_folder / "below" / "edge-fea.db")


def test_a_file_in_a_folder_that_this_user_cannot_enter_cannot_be_read(
    one_clip: Path, unprivileged: Unprivileged
) -> None:
    one_clip.parent.chmod(0o000)
    with unprivileged(), pytest.raises(EdgeFeaError, match=str(one_clip)):
        ClipReader(one_clip, busy_timeout=1)


def test_a_user_who_may_only_read_the_file_reads_its_clips(
    one_clip: Path, unprivileged: Unprivileged
) -> None:
    with unprivileged(), ClipReader(one_clip, busy_timeout=1) as reader:
        assert len(list(reader.clips(ClipFilter()))) == 1


def test_a_file_that_this_user_cannot_read_is_not_told_as_one_to_write(
    one_clip: Path, unprivileged: Unprivileged
) -> None:
    one_clip.chmod(0o000)
    with unprivileged(), pytest.raises(StoreError, match=f"cannot read {one_clip}"):
        ClipReader(one_clip, busy_timeout=1)
