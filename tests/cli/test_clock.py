"""clock: what the device knows of the time, and a person's word for it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.capture.clock import SystemClock, boot_id
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.store.moments import happened
from edge_fea.summary.record import ClipSummary
from tests.cli.conftest import Run, record
from tests.store.clip_factory import make_clip


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "synchronized", lambda self: False)


def clip(minutes: float, boot: str) -> ClipSummary:
    made = make_clip(minutes, synchronized=False)
    return replace(made, recording=replace(made.recording, boot_id=boot))


def test_clips_with_a_doubtful_time_are_counted(run: Run, tmp_path: Path) -> None:
    database = record(tmp_path / "a.db", clip(0, "former"), clip(5, boot_id()))
    done = run("--database", database, "clock")
    assert done.exit_code == 0, done.stderr
    assert "not synchronized since this boot" in done.stdout
    assert "2 clips with a doubtful time, 1 of them of this boot" in done.stdout


def test_a_clock_that_has_gone_back_is_told(run: Run, tmp_path: Path) -> None:
    future = clip(60 * 24 * 365 * 100, "former")
    done = run("--database", record(tmp_path / "a.db", future), "clock")
    assert "behind what was recorded before this boot" in done.stdout


def test_without_a_database_the_time_alone_is_shown(run: Run, tmp_path: Path) -> None:
    done = run("--database", tmp_path / "none.db", "clock")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "no clip yet")


def test_a_confirmed_clock_corrects_the_clips_of_this_boot(run: Run, tmp_path: Path) -> None:
    database = record(tmp_path / "a.db", clip(0, "former"), clip(5, boot_id()))
    done = run("--database", database, "clock", "confirm")
    assert done.exit_code == 0, done.stderr
    assert "is taken as right; clips corrected: 1" in done.stdout
    with ClipReader(database, busy_timeout=1) as reader:
        rows = {row["boot_id"]: row for row in reader.clips(ClipFilter())}
    assert rows["former"]["corrected_start_utc"] is None
    boot = SystemClock().now() - timedelta(seconds=SystemClock().monotonic())
    away = happened(rows[boot_id()]) - (boot + timedelta(minutes=5))
    assert abs(away) < timedelta(seconds=30)
    shown = run("--database", database, "clock").stdout
    assert "confirmed in this boot" in shown
    assert "1 clips with a doubtful time, 0 of them of this boot" in shown


def test_a_confirmation_is_on_record(run: Run, tmp_path: Path) -> None:
    database = record(tmp_path / "a.db")
    run("--database", database, "clock", "confirm")
    trail = tmp_path / "audit" / "a-audit.db"
    assert trail.exists()


def test_show_says_that_a_start_was_corrected(run: Run, tmp_path: Path) -> None:
    database = record(tmp_path / "a.db", clip(5, boot_id()))
    run("--database", database, "clock", "confirm")
    shown = run("--database", database, "show", "last").stdout
    assert "start corrected when the clock was set" in shown
    assert "not synchronized" not in shown


def test_a_summary_gathers_a_corrected_clip_by_its_corrected_day(run: Run, tmp_path: Path) -> None:
    database = record(tmp_path / "a.db", clip(5, boot_id()))
    summary = ("--database", database, "summary", "--by", "day", "--format", "json")
    (before,) = json.loads(run(*summary).stdout)
    assert (before["day"], before["unsynchronized_clips"]) == ("2026-11-22", 1)
    run("--database", database, "clock", "confirm")
    (after,) = json.loads(run(*summary).stdout)
    with ClipReader(database, busy_timeout=1) as reader:
        (row,) = reader.clips(ClipFilter())
    assert (after["day"], after["unsynchronized_clips"]) == (f"{happened(row):%Y-%m-%d}", 0)
