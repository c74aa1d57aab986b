"""A damaged file is set aside, what can be read of it is rescued, and recording goes on."""

import sqlite3
from pathlib import Path

import pytest

from edge_fea.errors import StoreDamaged, StoreUnwritable
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.integrity import is_sound, rescue
from edge_fea.store.rows import row_of
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

PAGE = 4096
MANY = [make_clip(5 * number) for number in range(60)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of 60 clips, some 13 pages."""
    path = tmp_path_factory.mktemp("sound") / "edge-fea.db"
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        for clip in MANY:
            recorder.save(clip)
    return path.read_bytes()


def root_page(data: bytes, path: Path, name: str) -> int:
    """Where in the file a table or an index begins, in bytes."""
    path.write_bytes(data)
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", [name]
    ).fetchone()
    connection.close()
    path.unlink()
    return (page - 1) * PAGE


def overwritten(data: bytes, start: int, length: int = PAGE) -> bytes:
    return data[:start] + b"\xa5" * length + data[start + length :]


def used_before(path: Path) -> Path:
    """edge-fea has recorded there: its lock file is left."""
    path.with_name(path.name + ".lock").touch()
    return path


def rescued(path: Path, data: bytes) -> list[dict[str, object]]:
    """The clips after a start on the damaged ``data``, which must be kept as it was."""
    used_before(path).write_bytes(data)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        found = recorder.opened.rescue
        assert found is not None
        assert found.set_aside.read_bytes() == data
        recorder.save(make_clip(9999))
    assert is_sound(path)
    with ClipReader(path, busy_timeout=1) as reader:
        *rows, new = reader.clips(ClipFilter())
    assert new["clip_id"] == make_clip(9999).clip_id
    return rows


def test_a_sound_file_is_left_alone(path: Path, sound: bytes) -> None:
    path.write_bytes(sound)
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.rescue is None
    with ClipReader(path, busy_timeout=1) as reader:
        assert len(list(reader.clips(ClipFilter()))) == len(MANY)


def test_somebody_elses_file_is_left_as_it_is(path: Path) -> None:
    path.write_text("my notes")
    with pytest.raises(StoreDamaged, match="is no SQLite database, and is left as it is"):
        ClipRecorder(path, busy_timeout=1, now=NOON)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "my notes"


def test_garbage_is_set_aside_and_recording_goes_on(path: Path) -> None:
    assert rescued(path, b"garbage " * 2000) == []


def test_a_page_overwritten_in_the_middle_costs_only_the_rows_on_it(
    path: Path, sound: bytes
) -> None:
    clip = MANY[len(MANY) // 2]
    # In the row, not in an index, the device's name follows the id.
    middle = sound.index(f"{clip.clip_id}{clip.recording.device_id}".encode()) // PAGE * PAGE
    rows = rescued(path, overwritten(sound, middle))
    assert len(MANY) - 20 <= len(rows) < len(MANY)
    assert all(row in [row_of(clip) for clip in MANY] for row in rows)
    # From both ends: only the middle is gone.
    assert rows[0] == row_of(MANY[0])
    assert rows[-1] == row_of(MANY[-1])


@pytest.mark.parametrize(
    "index", ["sqlite_autoindex_clips_1", "idx_clips_happened", "idx_clips_patient_happened"]
)
def test_a_damaged_index_costs_no_row(path: Path, sound: bytes, index: str) -> None:
    rows = rescued(path, overwritten(sound, root_page(sound, path, index)))
    assert rows == [row_of(clip) for clip in MANY]


def test_a_damaged_list_of_steps_costs_no_row(path: Path, sound: bytes) -> None:
    rows = rescued(path, overwritten(sound, root_page(sound, path, "_sqlite_migrations")))
    assert rows == [row_of(clip) for clip in MANY]


def test_a_lost_table_costs_its_rows_but_not_the_start(path: Path, sound: bytes) -> None:
    assert rescued(path, overwritten(sound, root_page(sound, path, "clips"))) == []


def test_a_file_cut_short_gives_the_rows_that_are_left(path: Path, sound: bytes) -> None:
    rows = rescued(path, sound[:-PAGE])
    assert len(rows) >= len(MANY) - 20


def test_a_head_of_another_format_counts_as_damage(path: Path, sound: bytes) -> None:
    # Byte 47 of the header is the schema format number; only 1 to 4 exist.
    rescued(path, overwritten(sound, 47, 1))


def test_a_rescued_database_has_its_indexes_again(path: Path, sound: bytes) -> None:
    rescued(path, overwritten(sound, root_page(sound, path, "idx_clips_happened")))
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        names = {index.name for index in recorder.opened.db.table("clips").indexes}
    assert {"idx_clips_happened", "idx_clips_patient_happened"} <= names


def test_what_was_rescued_is_told_in_one_line(path: Path, sound: bytes) -> None:
    path.write_bytes(overwritten(sound, len(sound) - 2 * PAGE))
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        found = recorder.opened.rescue
        clips = recorder.opened.db.table("clips").count
    assert found is not None
    assert str(found) == (
        f"the database was damaged: {found.rows} rows recovered, the damaged file is kept as "
        f"{path}.damaged-20261122T120000Z; incomplete: clips"
    )
    assert clips < len(MANY)


def test_the_rows_told_are_the_clips_that_were_rescued(path: Path, sound: bytes) -> None:
    path.write_bytes(overwritten(sound, root_page(sound, path, "idx_clips_happened")))
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.rescue is not None
        assert recorder.opened.rescue.rows == len(MANY)


def test_a_running_clip_is_rescued_and_closed_as_power_loss(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(ended_by=None))
    data = path.read_bytes()
    start = root_page(data, path, "idx_clips_happened")
    path.write_bytes(overwritten(data, start))
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.closed_after_power_loss == [make_clip().clip_id]


def test_a_second_damage_at_the_same_wall_time_keeps_both_files(path: Path) -> None:
    # A Pi has no battery clock: it can start at the same moment twice.
    for content in (b"first damage " * 999, b"second damage " * 999):
        used_before(path).write_bytes(content)
        ClipRecorder(path, busy_timeout=1, now=NOON).close()
    kept = {file.read_bytes() for file in path.parent.glob("edge-fea.db.damaged-*")}
    assert kept == {b"first damage " * 999, b"second damage " * 999}


def test_the_journals_of_a_damaged_file_are_set_aside_with_it(path: Path, sound: bytes) -> None:
    used_before(path).write_bytes(b"garbage " * 2000)
    journal = path.with_name(path.name + "-wal")
    journal.write_bytes(b"journal")
    ClipRecorder(path, busy_timeout=1, now=NOON).close()
    aside = path.with_name("edge-fea.db.damaged-20261122T120000Z-wal")
    assert not journal.exists() or journal.read_bytes() != b"journal"
    assert not aside.exists() or aside.read_bytes() == b"journal"


def test_an_unfinished_rescue_is_begun_again(path: Path) -> None:
    path.with_name(path.name + ".recovering").write_bytes(b"left over from a pulled plug")
    rescued(path, b"garbage " * 2000)
    assert not path.with_name(path.name + ".recovering").exists()


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.rescue is None
        recorder.save(make_clip())


def test_a_file_that_cannot_be_set_aside_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path.write_bytes(b"garbage " * 2000)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreDamaged, match="cannot be set aside"):
        rescue(path, NOON)
    assert path.read_bytes() == b"garbage " * 2000


def test_reading_garbage_says_that_it_is_damaged_and_leaves_it(path: Path) -> None:
    path.write_bytes(b"garbage " * 2000)
    with pytest.raises(StoreDamaged, match=f"{path} is damaged"):
        ClipReader(path, busy_timeout=1)
    assert path.read_bytes() == b"garbage " * 2000


def test_a_folder_in_place_of_the_file_is_unwritable_not_damaged(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnwritable):
        ClipRecorder(path, busy_timeout=1, now=NOON)
    assert path.is_dir()
