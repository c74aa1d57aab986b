"""The doctor on database, permissions, last clip, audit trail, last export and backup."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.device.backup import BEFORE_UPGRADE, Origin, back_up
from edge_fea.device.doctor import records
from edge_fea.device.doctor.checks import Check, examine
from edge_fea.device.doctor.findings import State, Verdict
from edge_fea.device.pausing import Pauses, pause_file
from edge_fea.store.anchor import move_anchor
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.clips import ClipRecorder
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON
from tests.device.doctor_case import PID, Made
from tests.store.clip_factory import make_clip
from tests.store.conftest import public_folder, unprivileged

__all__ = ["public_folder", "unprivileged"]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def of_boot(clip: ClipSummary, boot: str = "boot-2") -> ClipSummary:
    return replace(clip, recording=replace(clip.recording, boot_id=boot))


def trail(made: Made) -> AuditTrail:
    made.database.parent.mkdir(parents=True, exist_ok=True)
    return AuditTrail(made.case().settings.store.audit, busy_timeout=1)


def test_a_sound_database_is_well(made: Made) -> None:
    made.record(make_clip())
    told = records.database(made.case())
    assert told.state is State.OK
    assert told.what.startswith("sound, 1 clips, ")


def test_a_check_that_takes_too_long_is_broken_off(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_STEPS", 1)
    made.record(*(make_clip(5 * number) for number in range(20)))
    case = made.case()
    made.clock.monotonic = lambda: made.clock.sleep(1) or made.clock.time  # type: ignore[method-assign]
    told = records.database(case)
    assert told.state is State.OK
    assert "sound as far as 5 s have gone (--full" in told.what
    case.check_s = None
    assert records.database(case).what.startswith("sound, 20 clips")


def test_a_damaged_database_fails(made: Made) -> None:
    made.record(*(make_clip(5 * number) for number in range(100)))
    connection = sqlite3.connect(made.database)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'idx_clips_happened'"
    ).fetchone()
    connection.close()
    content = bytearray(made.database.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = bytes(4096)
    made.database.write_bytes(content)
    (finding,) = examine(made.case(), [Check("database", records.database)])
    assert finding.state is State.BAD


def test_a_former_damage_is_remembered(made: Made) -> None:
    made.record(make_clip())
    made.database.with_name("edge-fea.db.damaged-20261120T120000Z").touch()
    told = records.database(made.case())
    assert told.state is State.WARN
    assert "edge-fea.db.damaged-20261120T120000Z" in told.what


def test_a_new_device_has_recorded_nothing(made: Made) -> None:
    assert records.database(made.case()).what == "nothing has been recorded yet"
    assert records.last_clip(made.case()).what == "nothing has been recorded yet"


def test_a_user_who_may_not_look_is_told_to_ask_as_root(
    public_folder: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    made = Made(public_folder)
    made.record(make_clip())
    made.database.parent.chmod(0o700)
    case = made.case()
    with unprivileged():
        (finding,) = examine(case, [Check("database", records.database)])
    assert finding.state is State.UNKNOWN
    assert "sudo edge-fea doctor" in finding.todo


def test_a_folder_for_the_service_alone_is_well(made: Made) -> None:
    made.record(make_clip())
    made.database.parent.chmod(0o750)
    assert records.permissions(made.case()).state is State.OK


def test_clips_that_everybody_can_read_fail(made: Made) -> None:
    made.record(make_clip())
    made.database.parent.chmod(0o755)
    made.database.chmod(0o644)
    told = records.permissions(made.case())
    assert told.state is State.BAD
    assert told.what.startswith("everybody on this machine can read edge-fea.db")


def test_files_that_nobody_else_can_read_do_in_an_open_folder(made: Made) -> None:
    made.record(make_clip())
    made.database.parent.chmod(0o755)
    for each in made.database.parent.iterdir():
        each.chmod(0o600)
    assert records.permissions(made.case()).what.startswith("every file is for its owner")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_fails(made: Made) -> None:
    made.record(make_clip())
    os.chown(made.database, 65534, 65534)
    told = records.permissions(made.case())
    assert (told.state, "edge-fea.db: not of the user" in told.what) == (State.BAD, True)
    assert "chown" in told.todo


def test_a_key_that_others_can_read_fails(made: Made, tmp_path: Path) -> None:
    made.record(make_clip())
    key = tmp_path / "device.pem"
    key.touch(0o644)
    made.settings["clinic.signing_key"] = key
    assert "device's key" in records.permissions(made.case()).what
    # The second is the clinicians' account, in the service's group.
    for mode in (0o600, 0o640):
        key.chmod(mode)
        assert records.permissions(made.case()).state is State.OK


def test_a_folder_that_is_not_there_is_told(made: Made) -> None:
    assert records.permissions(made.case()).state is State.BAD


def recording(made: Made, ended_s_ago: float, **clip: object) -> Verdict:
    """A clip of 300 s that ended so long ago by this boot's clock, and a process that records."""
    made.record(of_boot(make_clip(10, **clip)))  # type: ignore[arg-type]
    made.clock.time = 600 + 300 + ended_s_ago
    made.clock.wall = NOON + timedelta(seconds=600 + 300 + ended_s_ago)
    made.hold_lock()
    return records.last_clip(made.case())


def test_a_clip_that_was_just_written_is_well(made: Made) -> None:
    told = recording(made, 20)
    assert (told.state, told.what) == (State.OK, "20 s ago, seen 80% of it; 80% of the last 0 h")


def test_no_clip_while_something_records_fails(made: Made) -> None:
    told = recording(made, 600)
    assert told.state is State.BAD
    assert told.what.startswith("10 min ago, seen 80% of it, though something records")


def test_a_recording_that_has_just_begun_needs_no_clip_yet(made: Made) -> None:
    made.put("/proc/uptime", "9000.00 1.0")
    made.put(f"/proc/{PID}/stat", f"{PID} (edge-fea) S {' '.join(['0'] * 18)} 897000 0")
    told = recording(made, 600)
    assert told.state is State.OK
    assert told.what.endswith("the recording was started 30 s ago")


def test_a_clock_that_jumps_does_not_age_a_clip_of_this_boot(made: Made) -> None:
    recording(made, 20)
    made.clock.wall += timedelta(days=400)
    assert records.last_clip(made.case()).state is State.OK


def test_nothing_recording_is_warned_of(made: Made) -> None:
    made.record(of_boot(make_clip(0), "boot-1"))
    made.clock.wall = NOON + timedelta(hours=30)
    told = records.last_clip(made.case())
    assert told.state is State.WARN
    assert told.what == "30 h ago, seen 80% of it; nothing records now"


def test_a_patient_who_was_not_seen_all_day_is_warned_of(made: Made) -> None:
    made.record(*(of_boot(make_clip(5 * n, seen=0, missed=300)) for n in range(120)))
    made.clock.time = 120 * 300.0 + 10
    made.clock.wall = NOON + timedelta(hours=10)
    made.hold_lock()
    told = records.last_clip(made.case())
    assert told.state is State.WARN
    assert "nobody was seen in the last 10 h" in told.what


def test_a_device_that_nothing_has_left_has_no_trail(made: Made) -> None:
    made.record()
    assert records.audit(made.case()).state is State.OK
    assert records.last_export(made.case()).what == "nothing has left this device yet"


def test_a_whole_trail_is_well(made: Made) -> None:
    row = trail(made).append(AuditEntry("user:me", "export"), NOON)
    trail(made).append(AuditEntry("user:me", "export", "done", ends=row["seq"]), NOON)
    assert records.audit(made.case()) == Verdict(State.OK, "2 rows, whole")


def test_a_trail_that_was_removed_is_missed(made: Made) -> None:
    made.record()
    written = trail(made)
    written.append(AuditEntry("user:me", "export", "done"), NOON)
    with ClipRecorder(made.database, busy_timeout=1, now=NOON) as recorder:
        move_anchor(recorder.opened.db, made.database, written)
    assert records.audit(made.case()).state is State.OK
    shutil.rmtree(written.path.parent)
    told = records.audit(made.case())
    assert told.state is State.BAD
    assert "no trail found, although row 1 was recorded" in told.what


def test_a_trail_is_judged_beside_a_damaged_database(made: Made) -> None:
    made.record()
    written = trail(made)
    written.append(AuditEntry("user:me", "export", "done"), NOON)
    made.database.write_bytes(b"SQLite format 3\0" + b"\xff" * 20_000)
    told = records.audit(made.case())
    assert told.state is State.WARN
    assert told.what.startswith("1 rows, whole; but the database cannot tell whether all of it")
    assert f"{made.database} is damaged" in told.what
    with closing(sqlite3.connect(written.path)) as db, db:
        db.execute("DROP TRIGGER audit_keeps")
    assert records.audit(made.case()).state is State.BAD


def test_the_backup_that_a_restored_trail_ends_with_is_not_missed(made: Made) -> None:
    trail(made).append(AuditEntry("user:me", "backup"), NOON)
    assert "row 1 (backup) was never ended" in records.audit(made.case()).what
    trail(made).append(AuditEntry("user:me", "restore", "done"), NOON)
    assert records.audit(made.case()) == Verdict(State.OK, "2 rows, whole")


def test_an_export_that_never_ended_is_warned_of(made: Made) -> None:
    trail(made).append(AuditEntry("user:me", "pack"), NOON)
    told = records.audit(made.case())
    assert told.state is State.WARN
    assert "row 1 (pack) was never ended" in told.what


def test_a_trail_that_was_changed_fails(made: Made) -> None:
    trail(made).append(AuditEntry("user:me", "export"), NOON)
    connection = sqlite3.connect(made.case().settings.store.audit)
    connection.execute("DROP TRIGGER audit_keeps")
    connection.execute("UPDATE audit SET who = 'user:you'")
    connection.commit()
    connection.close()
    told = records.audit(made.case())
    assert told.state is State.BAD
    assert "was changed after it was written" in told.what


@pytest.mark.parametrize(("days", "state"), [(3, State.OK), (60, State.WARN)])
def test_an_export_long_ago_is_warned_of(made: Made, days: int, state: State) -> None:
    trail(made).append(AuditEntry("user:me", "report", "done"), NOON - timedelta(days=days))
    told = records.last_export(made.case())
    assert (told.state, told.what) == (state, f"{days} days ago")


@pytest.fixture
def stick(made: Made, tmp_path: Path) -> Path:
    made.record(make_clip())
    made.settings["backup.folder"] = folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def back_up_then(made: Made, stick: Path, days: float) -> Verdict:
    store = made.case().settings.store
    origin = Origin(store.database, store.audit, "efea-1", 1.0)
    back_up(origin, stick, keep=7, now=NOON)
    trail(made).append(AuditEntry("user:me", "backup", "done"), NOON)
    made.clock.wall = NOON + timedelta(days=days)
    return records.backup(made.case())


def test_a_fresh_backup_on_another_disk_is_well(
    made: Made, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "same_disk", lambda *_: False)
    told = back_up_then(made, stick, 0.5)
    assert (told.state, told.what) == (
        State.OK,
        f"0 days ago, 1 in {stick}, the newest of 2026-11-22 12:00 UTC",
    )


def test_a_backup_on_the_same_disk_is_warned_of(made: Made, stick: Path) -> None:
    told = back_up_then(made, stick, 0.5)
    assert (told.state, "on the same disk" in told.what) == (State.WARN, True)


@pytest.mark.parametrize(("days", "state"), [(5, State.WARN), (20, State.BAD)])
def test_an_old_backup_is_told(made: Made, stick: Path, days: int, state: State) -> None:
    assert back_up_then(made, stick, days).state is state


def test_no_backup_at_all_fails_where_one_is_wanted(made: Made, stick: Path) -> None:
    told = records.backup(made.case())
    assert (told.state, told.what) == (State.BAD, "last backup never")


def test_a_stick_that_is_not_plugged_in_fails(made: Made, stick: Path) -> None:
    stick.rmdir()
    told = records.backup(made.case())
    assert (told.state, "plug the stick in" in told.todo) == (State.BAD, True)


def test_another_stick_is_found_out(made: Made, stick: Path) -> None:
    trail(made).append(AuditEntry("user:me", "backup", "done"), NOON)
    told = records.backup(made.case())
    assert (told.state, told.todo) == (State.BAD, "is it the right stick?")


def test_without_a_folder_a_backup_is_asked_for(made: Made) -> None:
    made.record()
    assert records.backup(made.case()).state is State.WARN
    trail(made).append(AuditEntry("user:me", "backup", "done"), NOON)
    assert records.backup(made.case()).what == "0 days ago, by hand"


@pytest.mark.parametrize("wanted", [True, False])
def test_the_backup_before_an_upgrade_is_no_second_copy(
    made: Made, stick: Path, wanted: bool
) -> None:
    if not wanted:
        del made.settings["backup.folder"]
    trail(made).append(AuditEntry("user:me", "backup", "done", note=BEFORE_UPGRADE), NOON)
    told = records.backup(made.case())
    if wanted:
        assert (told.state, told.what) == (State.BAD, "last backup never")
    else:
        assert (told.state, "an upgrade made" in told.what) == (State.WARN, True)
    # One by hand counts, also where an upgrade came after it.
    trail(made).append(AuditEntry("user:me", "backup", "done"), NOON - timedelta(days=2))
    trail(made).append(AuditEntry("user:me", "backup", "done", note=BEFORE_UPGRADE), NOON)
    assert "2 days ago" in records.backup(made.case()).what


def test_a_pause_is_told_with_the_last_clip(made: Made) -> None:
    made.record(make_clip(0))
    pauses = Pauses(pause_file(made.database), made.clock, "boot-2", fallback_s=60)
    assert "paused" not in records.last_clip(made.case()).what
    pauses.begin(1800)
    assert "; paused for another 30 min" in records.last_clip(made.case()).what
