"""Backups are whole, of one moment, checked, named at the end, and only so many are kept."""

import fcntl
import json
import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.device import backup as backups
from edge_fea.device.backup import (
    DATABASE,
    MANIFEST,
    TRAIL,
    Backup,
    Origin,
    back_up,
    backups_in,
    made_at,
    read_backup,
)
from edge_fea.device.disks import block_device, same_disk
from edge_fea.errors import (
    NotFoundError,
    OutputDamaged,
    OutputFull,
    OutputUnwritable,
    StoreBusy,
    StoreDamaged,
)
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.rows import row_of
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

CLIPS = [make_clip(0), make_clip(5), make_clip(10, ended_by=None)]


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    database = tmp_path / "device" / "clips.db"
    database.parent.mkdir()
    trail = database.parent / "audit" / "clips-audit.db"
    with ClipRecorder(database, busy_timeout=1, now=NOON) as recorder:
        for clip in CLIPS:
            recorder.save(clip)
    AuditTrail(trail, busy_timeout=1).append(AuditEntry("user:me", "backup"), NOON)
    return Origin(database, trail, "efea-1", 1.0)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def make(origin: Origin, stick: Path, minutes: float = 0.0, keep: int = 7) -> Backup:
    return back_up(origin, stick, keep=keep, now=NOON + timedelta(minutes=minutes))


def clips_in(database: Path) -> list[dict]:
    with ClipReader(database, busy_timeout=1) as reader:
        return list(reader.clips(ClipFilter(running=True)))


def test_a_backup_holds_every_clip_and_the_audit_trail(origin: Origin, stick: Path) -> None:
    made = make(origin, stick)
    assert made.path == stick / "edge-fea-efea-1-20261122T120000Z"
    assert {each.name for each in made.path.iterdir()} == {DATABASE, TRAIL, MANIFEST}
    assert clips_in(made.path / DATABASE) == [row_of(clip) for clip in CLIPS]
    assert AuditTrail(made.path / TRAIL, busy_timeout=1).faults() == []


def test_a_backup_is_one_file_a_database_without_journals(origin: Origin, stick: Path) -> None:
    made = make(origin, stick)
    # Bytes 18 and 19: the file format's versions; 1 is a rollback journal, 2 a write-ahead log.
    assert (made.path / DATABASE).read_bytes()[18:20] == b"\x01\x01"


def test_nobody_else_may_read_a_backup(origin: Origin, stick: Path) -> None:
    made = make(origin, stick)
    assert {oct(each.stat().st_mode)[-3:] for each in made.path.iterdir()} == {"600"}
    assert oct(made.path.stat().st_mode)[-3:] == "700"


def test_a_backup_is_made_while_the_device_records(origin: Origin, stick: Path) -> None:
    with ClipRecorder(origin.database, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(15))
        made = make(origin, stick)
        recorder.save(make_clip(20))
    assert len(clips_in(made.path / DATABASE)) == 4


def test_the_copy_is_of_the_moment_of_its_count(
    origin: Origin, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip that is written between counting and copying is not in the copy."""
    with ClipRecorder(origin.database, busy_timeout=1, now=NOON) as recorder:
        count = backups._rows

        def count_then_record(db: sqlite3.Connection) -> dict[str, int]:
            found = count(db)
            if not recorder.opened.db.conn.in_transaction:
                recorder.save(make_clip(15))
            return found

        monkeypatch.setattr(backups, "_rows", count_then_record)
        made = make(origin, stick)
    assert made.manifest.files[DATABASE].rows["clips"] == len(CLIPS)
    assert len(clips_in(origin.database)) == len(CLIPS) + 1


def test_a_device_without_an_audit_trail_is_backed_up_too(origin: Origin, stick: Path) -> None:
    origin.trail.unlink()
    assert {each.name for each in make(origin, stick).path.iterdir()} == {DATABASE, MANIFEST}


def test_only_so_many_are_kept_and_the_oldest_go(origin: Origin, stick: Path) -> None:
    made = [make(origin, stick, minutes, keep=2) for minutes in range(4)]
    assert backups_in(stick, "efea-1") == [made[2].path, made[3].path]
    assert made[3].removed == (made[1].path,)


def test_the_new_one_stays_where_the_clock_has_gone_back(origin: Origin, stick: Path) -> None:
    later = make(origin, stick, 60)
    earlier = make(origin, stick, 0, keep=1)
    assert backups_in(stick, "efea-1") == [earlier.path]
    assert earlier.removed == (later.path,)


def test_another_devices_backups_and_files_of_others_are_left_alone(
    origin: Origin, stick: Path
) -> None:
    other = stick / "edge-fea-efea-2-20200101T000000Z"
    other.mkdir()
    (stick / "holiday.jpg").touch()
    (stick / "edge-fea-efea-1-20200101T000000Z").touch()
    for minutes in range(3):
        make(origin, stick, minutes, keep=1)
    assert other.exists()
    assert (stick / "holiday.jpg").exists()
    assert (stick / "edge-fea-efea-1-20200101T000000Z").is_file()


def test_a_folder_in_which_somebody_put_something_loses_only_the_backup(
    origin: Origin, stick: Path
) -> None:
    old = make(origin, stick)
    (old.path / "notes.txt").touch()
    make(origin, stick, 1, keep=1)
    assert [each.name for each in old.path.iterdir()] == ["notes.txt"]


def test_two_backups_at_the_same_wall_time_are_two(origin: Origin, stick: Path) -> None:
    first, second = make(origin, stick), make(origin, stick)
    assert second.path.name == first.path.name + "-2"
    assert backups_in(stick, "efea-1") == [first.path, second.path]


def test_what_a_pulled_plug_left_is_cleaned_up_by_the_next(origin: Origin, stick: Path) -> None:
    left = stick / ".edge-fea-efea-1-20261121T120000Z.partial"
    left.mkdir()
    (left / DATABASE).touch()
    (left / f"{DATABASE}-journal").touch()
    make(origin, stick)
    assert not left.exists()


def test_a_folder_that_is_not_there_is_named(origin: Origin, tmp_path: Path) -> None:
    with pytest.raises(OutputUnwritable, match=f"no folder {tmp_path}/gone: is the stick plugged"):
        make(origin, tmp_path / "gone")


def test_without_a_database_there_is_nothing_to_copy(origin: Origin, stick: Path) -> None:
    origin.database.unlink()
    with pytest.raises(NotFoundError):
        make(origin, stick)
    assert list(stick.iterdir()) == []


def test_a_stick_without_room_is_refused_before_anything_is_written(
    origin: Origin, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_MARGIN", 1 << 60)
    with pytest.raises(OutputFull, match="nothing was written"):
        make(origin, stick)
    assert list(stick.iterdir()) == []


def test_on_the_same_disk_room_is_left_for_the_recording(
    origin: Origin, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_LEFT_FREE", 1 << 60)
    with pytest.raises(OutputFull, match="are for the recording"):
        make(origin, stick)


def test_a_second_backup_at_the_same_time_is_told_to_wait(origin: Origin, stick: Path) -> None:
    handle = os.open(stick, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StoreBusy, match="another backup is being written"):
        make(origin, stick)
    os.close(handle)


def test_a_medium_that_gives_back_something_else_is_found_out(
    origin: Origin, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = backups.digest

    def lying(path: Path) -> tuple[int, str]:
        content = bytearray(path.read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        path.write_bytes(content)
        return whole(path)

    monkeypatch.setattr(backups, "digest", lying)
    with pytest.raises(OutputDamaged, match="try another"):
        make(origin, stick)
    assert list(stick.iterdir()) == []


def test_a_copy_that_fails_leaves_nothing(
    origin: Origin, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(backups.os, "fsync", broken)
    with pytest.raises(OutputUnwritable, match="Input/output error"):
        make(origin, stick)
    assert list(stick.iterdir()) == []


def test_a_whole_backup_reads_as_such(origin: Origin, stick: Path) -> None:
    made = make(origin, stick)
    assert read_backup(made.path).manifest == made.manifest
    assert made_at(made.path) == NOON


@pytest.mark.parametrize("name", [DATABASE, TRAIL])
def test_a_changed_byte_is_found(origin: Origin, stick: Path, name: str) -> None:
    path = make(origin, stick).path
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(StoreDamaged, match=f"{name} is not what was written: take another"):
        read_backup(path)


def test_a_file_that_is_gone_is_found(origin: Origin, stick: Path) -> None:
    path = make(origin, stick).path
    (path / DATABASE).unlink()
    with pytest.raises(StoreDamaged, match="No such file"):
        read_backup(path)


def test_rows_that_are_missing_are_found(origin: Origin, stick: Path) -> None:
    path = make(origin, stick).path
    connection = sqlite3.connect(path / DATABASE)
    connection.execute("DELETE FROM clips")
    connection.commit()
    connection.close()
    told = json.loads((path / MANIFEST).read_text())
    size, sha256 = backups.digest(path / DATABASE)
    told["files"][DATABASE] |= {"bytes": size, "sha256": sha256}
    (path / MANIFEST).write_text(json.dumps(told))
    with pytest.raises(StoreDamaged, match="rows are missing"):
        read_backup(path)


def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is no backup"):
        read_backup(tmp_path)


@pytest.mark.parametrize("text", ["{}", "not json", '{"files": {}}'])
def test_a_manifest_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(StoreDamaged, match="cannot be understood"):
        read_backup(tmp_path)


def linked(sys: Path, number: int, folder: str) -> Path:
    """A device in a tree like that of /sys."""
    device = sys / "devices" / folder
    device.mkdir(parents=True, exist_ok=True)
    links = sys / "dev" / "block"
    links.mkdir(parents=True, exist_ok=True)
    (links / f"{os.major(number)}:{os.minor(number)}").symlink_to(device)
    return device


def test_a_partition_lies_on_its_disk(tmp_path: Path) -> None:
    device = linked(tmp_path / "sys", tmp_path.stat().st_dev, "mmcblk0/mmcblk0p2")
    (device / "partition").touch()
    found = block_device(tmp_path, tmp_path / "sys")
    assert found is not None
    assert found.name == "mmcblk0"


def test_an_encrypted_volume_lies_on_the_disk_below_it(tmp_path: Path) -> None:
    sys = tmp_path / "sys"
    device = linked(sys, tmp_path.stat().st_dev, "dm-0")
    below = sys / "devices" / "sda" / "sda1"
    (device / "slaves").mkdir()
    below.mkdir(parents=True)
    (below / "partition").touch()
    (device / "slaves" / "sda1").symlink_to(below)
    found = block_device(tmp_path, sys)
    assert found is not None
    assert found.name == "sda"


def test_what_is_in_memory_has_no_disk(tmp_path: Path) -> None:
    assert block_device(tmp_path, tmp_path / "none") is None


def test_one_file_system_is_one_disk(tmp_path: Path) -> None:
    assert same_disk(tmp_path, tmp_path.parent, tmp_path / "none")
    assert not same_disk(tmp_path, Path("/proc"), tmp_path / "none")


def test_a_backup_on_the_same_disk_says_so(origin: Origin, stick: Path) -> None:
    assert make(origin, stick).same_disk
