"""status: how the device is doing, on one screen, from database and audit trail alone."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from edge_fea.cli.context import Options
from edge_fea.cli.status import status
from edge_fea.clinic.status import Status, Today, gather
from edge_fea.config import Settings
from edge_fea.device.backup import BEFORE_UPGRADE
from edge_fea.device.lights import CAMERA_MISSING
from edge_fea.device.starts import Starts
from edge_fea.store.audit import AuditEntry, AuditTrail
from edge_fea.store.baselines import Baselines
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.database import is_recording, open_for_staff
from edge_fea.store.patients import Stays
from edge_fea.summary.baseline import BaselineRule
from tests.cli.conftest import CLIPS, Run, record
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import make_clip

LATER = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


@pytest.fixture
def settings(database: Path) -> Settings:
    return Settings(
        store={"database": database},
        device={"id": "ward-3", "time_zone": "Europe/Berlin", "patient": "P07"},
    )


def told(settings: Settings, clock: FakeClock) -> Status:
    clock.wall = LATER
    return gather(settings, AuditTrail(settings.store.audit, busy_timeout=1), clock)


def shown(run: Run, *options: object) -> dict[str, str]:
    done = run(*options, "status")
    assert done.exit_code == 0, done.stderr
    return {line[:12].strip(): line[13:] for line in done.stdout.splitlines()}


def test_the_last_clip_and_the_running_one_are_told(settings: Settings, clock: FakeClock) -> None:
    found = told(settings, clock)
    assert found.last_clip is not None
    assert found.running_clip is not None
    assert (found.last_clip["clip_id"], found.running_clip["clip_id"]) == (
        CLIPS[2].clip_id,
        CLIPS[3].clip_id,
    )


def test_today_is_the_patients_day(settings: Settings, clock: FakeClock, database: Path) -> None:
    day_began = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)  # midnight in Berlin
    before = (day_began - NOON).total_seconds() / 60
    ahead = make_clip(before + 3 * 24 * 60, patient="P01")
    record(database, make_clip(before - 1, patient="P01"), make_clip(before, seen=150, missed=150))
    record(database, ahead)
    # Four clips from the fixture: 240 + 240 + 10 + 240 seconds; the one that was left open counts.
    assert told(settings, clock).today == Today(5, 1500.0, 880)


def test_who_is_here_is_whose_stay_is_running(
    settings: Settings, clock: FakeClock, database: Path
) -> None:
    assert (told(settings, clock).patient, told(settings, clock).staying) == ("P07", False)
    with open_for_staff(database, busy_timeout=1) as db:
        Stays(db).start("P08", NOON)
    assert (told(settings, clock).patient, told(settings, clock).staying) == ("P08", True)


def test_the_baseline_is_told_or_how_far_its_making_is(
    settings: Settings, clock: FakeClock, database: Path
) -> None:
    state = told(settings, clock).baseline
    assert state is not None
    assert (state.made_utc, state.clips, state.days) == (None, 1, 1)
    with open_for_staff(database, busy_timeout=1) as db:
        network = CLIPS[0].recording.model_sha256
        made = Baselines(db, BaselineRule(14, 1, 1)).update("P07", network, LATER)
    assert made is not None
    state = told(settings, clock).baseline
    assert state is not None
    assert (state.made_utc, state.clips, state.days) == (made["made_utc"], 1, 1)


def test_what_last_left_whole_is_told(settings: Settings, clock: FakeClock) -> None:
    trail = AuditTrail(settings.store.audit, busy_timeout=1)
    for hours, action, outcome in [
        (0, "export", "done"),
        (1, "export", "done"),
        (2, "export", "failed"),
        (3, "pack", "begun"),
        (4, "clips", "done"),
    ]:
        trail.append(AuditEntry("user:x", action, outcome), NOON + timedelta(hours=hours))
    assert told(settings, clock).left == {"export": "2026-11-22T13:00:00.000Z"}


def test_a_recorder_is_seen_while_it_runs(settings: Settings, clock: FakeClock) -> None:
    database = settings.store.database
    assert not told(settings, clock).recording
    with ClipRecorder(database, busy_timeout=1, now=NOON):
        assert told(settings, clock).recording
    assert not told(settings, clock).recording


def test_looking_for_a_recorder_never_keeps_one_from_starting(database: Path) -> None:
    assert not is_recording(database)
    with ClipRecorder(database, busy_timeout=1, now=NOON):
        assert is_recording(database)
        assert not is_recording(database.with_name("other.db"))


def test_before_anything_was_recorded_there_is_a_status_too(
    settings: Settings, clock: FakeClock, tmp_path: Path
) -> None:
    elsewhere = settings.model_copy(
        update={"store": settings.store.model_copy(update={"database": tmp_path / "none.db"})}
    )
    found = told(elsewhere, clock)
    assert (found.today, found.last_clip, found.database_bytes) == (None, None, None)
    assert not (tmp_path / "none.db").exists()


def test_one_screen_for_people(run: Run, database: Path) -> None:
    lines = shown(run, "--database", database)
    assert list(lines) == [
        *("device", "recording", "pause", "clock", "patient", "last clip", "running clip", "today"),
        *("baseline", "database", "last failure", "last backup", "disk"),
    ]
    assert lines["recording"].startswith("no")
    assert lines["last clip"].startswith("began 2026-11-22 13:10 +0100")
    assert "seen 3%, not seen enough" in lines["last clip"]
    assert lines["running clip"].startswith("left open when the recorder ended")
    assert lines["database"] == f"{database.stat().st_size / 1e6:.1f} MB"


def test_a_pause_is_told_with_its_end(run: Run, database: Path) -> None:
    assert shown(run, "--database", database)["pause"] == "not paused"
    run("--database", database, "pause", "--for", "30m")
    assert shown(run, "--database", database)["pause"].startswith("paused for another 30 min")
    done = run("--database", database, "status", "--format", "json")
    assert 1700 < json.loads(done.stdout)["condition"]["paused_s"] <= 1800


def test_failures_in_a_row_are_told_with_the_reason(run: Run, database: Path) -> None:
    assert shown(run, "--database", database)["last failure"] == "none"
    starts = Starts(database.with_name("starts.json"), database.with_name("reboot"), "boot")
    for _ in range(2):
        starts.begin()
        starts.failed(CAMERA_MISSING)
    assert shown(run, "--database", database)["last failure"] == (
        "2 starts in a row have failed, last because there is no camera: see edge-fea doctor"
    )


def test_the_last_backup_is_told_and_not_one_that_an_upgrade_made(
    run: Run, database: Path, settings: Settings
) -> None:
    assert shown(run, "--database", database)["last backup"].startswith("never")
    trail = AuditTrail(settings.store.audit, busy_timeout=1)
    now = datetime.now(UTC)
    trail.append(AuditEntry("user:x", "backup", "done"), now - timedelta(days=3))
    trail.append(AuditEntry("user:x", "backup", "done", note=BEFORE_UPGRADE), now)
    assert shown(run, "--database", database)["last backup"].endswith(", 3 days ago")


def test_a_clinician_is_told_of_the_patients_days_and_not_of_the_appliance(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = click.Context(status, obj=Options(None, database, "key:SHA256:abc"))
    with context:
        context.invoke(status, form="text")
        context.invoke(status, form="json")
    said = capsys.readouterr().out
    assert "last clip" in said
    for word in ("not paused", "last failure", "last backup", "GB free", "condition"):
        assert word not in said


def test_one_screen_of_an_empty_device(run: Run, tmp_path: Path, empty: Path) -> None:
    for database in (empty, tmp_path / "none.db"):
        lines = shown(run, "--database", database)
        assert (lines["last clip"], lines["today"]) == ("none yet", "no clips yet")
    assert shown(run, "--database", tmp_path / "none.db")["database"] == "none yet"


def test_a_clip_after_the_clocks_time_is_told_as_such(run: Run, tmp_path: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400) - NOON).total_seconds() / 60
    path = record(tmp_path / "ahead.db", make_clip(ahead))
    assert "in the future: the clock has jumped" in shown(run, "--database", path)["last clip"]


def test_json_holds_the_same_for_programs(run: Run, database: Path) -> None:
    done = run("--database", database, "status", "--format", "json")
    found = json.loads(done.stdout)
    assert found["last_clip"]["clip_id"] == CLIPS[2].clip_id
    assert found["left"] == {}
    assert found["recording"] is False
    assert datetime.fromisoformat(found["at_utc"]).tzinfo is not None


def test_status_changes_nothing(run: Run, database: Path) -> None:
    before = sorted(path.name for path in database.parent.iterdir())
    with sqlite3.connect(database) as db:
        (version,) = db.execute("PRAGMA data_version").fetchone()
        shown(run, "--database", database)
        assert db.execute("PRAGMA data_version").fetchone() == (version,)
    db.close()
    assert sorted(path.name for path in database.parent.iterdir()) == before


def test_an_account_that_may_only_read_gets_its_status(
    clock: FakeClock,
    public_folder: Path,
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    settings = Settings(store={"database": record(public_folder / "clips.db", *CLIPS)})
    trail = AuditTrail(settings.store.audit, busy_timeout=1)
    trail.append(AuditEntry("user:x", "pack", "done"), NOON)
    trail.path.parent.chmod(0o755)
    trail.path.chmod(0o644)
    with unprivileged():
        assert told(settings, clock).left == {"pack": "2026-11-22T12:00:00.000Z"}
