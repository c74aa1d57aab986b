"""A backup comes back; what was there is kept, and whoever was erased since is named."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from edge_fea.device import restoring
from edge_fea.device.backup import DATABASE, Backup, Origin, read_backup
from edge_fea.device.restoring import Restored, erased_since, restore
from edge_fea.errors import StoreBusy, StoreDamaged, StoreFull
from edge_fea.store.anchor import Anchor, anchor_of, move_anchor
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.database import open_for_reading
from edge_fea.store.integrity import is_sound
from tests.conftest import NOON
from tests.device.test_backup import CLIPS, clips_in, make, origin, stick
from tests.store.clip_factory import make_clip

__all__ = ["origin", "stick"]


@pytest.fixture
def backup(origin: Origin, stick: Path) -> Backup:
    """A backup of three clips; the database has recorded a fourth since."""
    made = make(origin, stick)
    with ClipRecorder(origin.database, busy_timeout=1, now=NOON) as recorder:
        recorder.save(make_clip(15))
    return read_backup(made.path)


def put_back(backup: Backup, origin: Origin) -> Restored:
    return restore(backup, origin.database, AuditTrail(origin.trail, busy_timeout=1), NOON)


def beside(origin: Origin) -> set[str]:
    return {each.name for each in origin.database.parent.iterdir()}


def test_the_clips_of_the_backup_are_back_and_can_be_recorded_on(
    backup: Backup, origin: Origin
) -> None:
    done = put_back(backup, origin)
    with ClipRecorder(origin.database, busy_timeout=1, now=NOON) as recorder:
        assert recorder.opened.rescue is None
        # The clip that was running when the backup was made.
        assert recorder.closed_after_power_loss == [CLIPS[2].clip_id]
        recorder.save(make_clip(30))
    assert len(clips_in(origin.database)) == 4
    assert done.manifest == backup.manifest


def test_the_former_database_is_kept_as_one_file(backup: Backup, origin: Origin) -> None:
    done = put_back(backup, origin)
    assert done.set_aside is not None
    assert done.set_aside.name == "clips.db.before-restore-20261122T120000Z"
    assert len(clips_in(done.set_aside)) == 4
    assert beside(origin) == {"clips.db", "clips.db.lock", "audit", done.set_aside.name}


def test_a_damaged_database_is_set_aside_with_its_journal(backup: Backup, origin: Origin) -> None:
    content = bytearray(origin.database.read_bytes())
    content[100:20000] = b"\xff" * 19900
    origin.database.write_bytes(content)
    journal = origin.database.with_name("clips.db-wal")
    journal.write_bytes(b"left by a pulled plug")
    done = put_back(backup, origin)
    assert done.set_aside is not None
    assert done.set_aside.name == "clips.db.damaged-20261122T120000Z"
    assert is_sound(origin.database)
    assert not journal.exists()


def test_a_device_without_a_database_gets_it_and_the_trail(backup: Backup, tmp_path: Path) -> None:
    fresh = tmp_path / "new" / "edge-fea.db"
    fresh.parent.mkdir()
    trail = AuditTrail(fresh.parent / "audit" / "edge-fea-audit.db", busy_timeout=1)
    done = restore(backup, fresh, trail, NOON)
    assert (done.set_aside, done.trail_too) == (None, True)
    assert len(clips_in(fresh)) == 3
    assert trail.faults() == []


def test_a_trail_that_is_there_goes_on(backup: Backup, origin: Origin) -> None:
    trail = AuditTrail(origin.trail, busy_timeout=1)
    trail.append(AuditEntry("user:me", "export"), NOON)
    assert not put_back(backup, origin).trail_too
    assert len(trail.rows()) == 2


@pytest.fixture
def anchored(origin: Origin, stick: Path) -> Backup:
    """A backup whose database remembers the trail's only row."""
    with ClipRecorder(origin.database, busy_timeout=1, now=NOON) as recorder:
        trail = AuditTrail(origin.trail, busy_timeout=1)
        move_anchor(recorder.opened.db, origin.database, trail)
    return read_backup(make(origin, stick).path)


def remembered(database: Path) -> Anchor | None:
    with closing(open_for_reading(database, busy_timeout=1).conn) as db:
        return anchor_of(Database(db))


def test_the_row_that_the_backup_remembers_of_this_trail_stays(
    anchored: Backup, origin: Origin
) -> None:
    trail = AuditTrail(origin.trail, busy_timeout=1)
    trail.append(AuditEntry("user:me", "export"), NOON)
    assert put_back(anchored, origin).note == ""
    found = remembered(origin.database)
    assert found is not None
    assert found.seq == 1


def test_a_trail_that_is_not_the_backups_is_the_one_to_go_by(
    anchored: Backup, origin: Origin
) -> None:
    """As on a new card that something had left before the backup came."""
    origin.trail.unlink()
    trail = AuditTrail(origin.trail, busy_timeout=1)
    for who in ("user:anna", "user:ben"):
        trail.append(AuditEntry(who, "export"), NOON)
    told = put_back(anchored, origin).note
    assert told == (
        "the backup's database remembered row 1 of 2026-11-22T12:00:00.000Z, which is not in this "
        "trail; now it remembers row 2"
    )
    found = remembered(origin.database)
    assert found is not None
    assert found.missing_in(trail) is None
    with ClipRecorder(origin.database, busy_timeout=1, now=NOON) as recorder:
        move_anchor(recorder.opened.db, origin.database, trail)


def test_without_any_trail_nothing_of_one_is_remembered(anchored: Backup, origin: Origin) -> None:
    files = {DATABASE: anchored.manifest.files[DATABASE]}
    alone = replace(anchored, manifest=anchored.manifest.model_copy(update={"files": files}))
    origin.trail.unlink()
    assert put_back(alone, origin).note.endswith("now it remembers none")
    assert remembered(origin.database) is None


def test_nothing_is_restored_while_the_device_records(backup: Backup, origin: Origin) -> None:
    with (
        ClipRecorder(origin.database, busy_timeout=1, now=NOON),
        pytest.raises(StoreBusy, match="is recording into"),
    ):
        put_back(backup, origin)
    assert len(clips_in(origin.database)) == 4


def test_nothing_is_restored_while_somebody_reads(backup: Backup, origin: Origin) -> None:
    reader = sqlite3.connect(origin.database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM clips").fetchone()
    with pytest.raises(StoreBusy):
        put_back(backup, origin)
    reader.close()
    assert len(clips_in(origin.database)) == 4
    assert "clips.db.restoring" not in beside(origin)


def test_a_backup_that_changes_while_it_is_read_changes_nothing(
    backup: Backup, origin: Origin
) -> None:
    (backup.path / DATABASE).write_bytes(b"pulled out")
    with pytest.raises(StoreDamaged, match="not what the backup holds"):
        put_back(backup, origin)
    assert len(clips_in(origin.database)) == 4
    assert "clips.db.restoring" not in beside(origin)


def test_a_full_disk_changes_nothing(
    backup: Backup, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restoring.shutil, "copyfileobj", full)
    with pytest.raises(StoreFull, match="nothing was changed"):
        put_back(backup, origin)
    assert len(clips_in(origin.database)) == 4


def test_patients_who_were_erased_since_are_named(backup: Backup, origin: Origin) -> None:
    trail = AuditTrail(origin.trail, busy_timeout=1)
    later = NOON + timedelta(days=1)
    trail.append(AuditEntry("user:me", "erase", "done", "P07"), later)
    trail.append(AuditEntry("user:me", "export", "done", "P08"), later)
    put_back(backup, origin)
    assert erased_since(origin.database, trail, backup.manifest.made_utc) == ["P07"]


def test_an_erasure_from_before_the_backup_is_nothing_to_say(
    backup: Backup, origin: Origin
) -> None:
    trail = AuditTrail(origin.trail, busy_timeout=1)
    trail.append(AuditEntry("user:me", "erase", "done", "P07"), NOON - timedelta(days=1))
    assert erased_since(origin.database, trail, backup.manifest.made_utc) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can write for another user")
def test_what_root_restores_belongs_to_the_service(backup: Backup, tmp_path: Path) -> None:
    fresh = tmp_path / "new" / "edge-fea.db"
    fresh.parent.mkdir()
    os.chown(fresh.parent, 65534, 65534)
    trail = AuditTrail(fresh.parent / "audit" / "edge-fea-audit.db", busy_timeout=1)
    restore(backup, fresh, trail, NOON)
    files = [fresh.parent, *fresh.parent.rglob("*")]
    assert {each.name for each in files} >= {"edge-fea.db", "edge-fea.db.lock", "audit"}
    assert {each.stat().st_uid for each in files} == {65534}
