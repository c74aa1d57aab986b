"""Baselines in the database: made daily, per patient and network, frozen, reset."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlite_utils

from edge_fea.config.settings import UNASSIGNED
from edge_fea.errors import NotAllowed, NotFoundError
from edge_fea.store.baselines import Baselines
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.patients import Stays
from edge_fea.store.rows import row_of
from edge_fea.summary.baseline import BASELINE_INDICES, BaselineRule
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON
from tests.store.clip_factory import make_clip

MODEL = row_of(make_clip())["model_sha256"]
RULE = BaselineRule(days=14, least_days=3, least_clips=30)


@pytest.fixture
def db(recorder: ClipRecorder) -> sqlite_utils.Database:
    return recorder.opened.db


def put(db, days: int, per_day: int = 10, *, first=NOON, value: float = 0.3, **more) -> None:
    """Sufficient clips, ``per_day`` a day, whose indices lie about ``value``."""
    rows = []
    for day in range(days):
        for number in range(per_day):
            start = first + timedelta(days=day, minutes=10 * number)
            row = row_of(make_clip())
            row |= dict.fromkeys(BASELINE_INDICES, value + 0.01 * (number % 5 - 2))
            row |= {
                "clip_id": f"{start:%d%H%M}-{more}",
                "start_utc": f"{start:%Y-%m-%dT%H:%M:%S}.000Z",
            }
            rows.append({**row, "ended_by": "full", **more})
    db.table("clips").insert_all(rows)


def later(days: float):
    return NOON + timedelta(days=days)


def test_a_baseline_needs_three_days_and_thirty_clips(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 2, per_day=30)
    assert baselines.update("P07", MODEL, later(2)) is None
    put(db, 1, first=later(2))
    assert baselines.update("P07", MODEL, later(3)) is not None


def test_between_two_stays_nothing_is_usual(db) -> None:
    baselines, stays = Baselines(db, RULE), Stays(db)
    put(db, 3, patient=UNASSIGNED)
    alone = baselines.update(UNASSIGNED, MODEL, later(3))
    assert alone is not None, "one person who was never named"
    stays.start("P07", later(3))
    stays.end(later(4))
    put(db, 3, first=later(4), patient=UNASSIGNED)
    assert baselines.update(UNASSIGNED, MODEL, later(7)) is None
    assert baselines.holding(UNASSIGNED, MODEL, later(7)) is None


def test_it_holds_for_clips_that_start_after_it_was_made(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 3)
    made = baselines.update("P07", MODEL, later(3))
    assert baselines.holding("P07", MODEL, later(2.9)) is None
    held = baselines.holding("P07", MODEL, later(3.1))
    assert held is not None
    assert held["baseline_id"] == made["baseline_id"]
    assert held["median_negative_mean"] == pytest.approx(0.3)


def test_only_the_last_days_count(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 3, value=0.9)
    put(db, 3, first=later(20), value=0.1)
    made = baselines.update("P07", MODEL, later(23))
    assert (made["clips"], made["median_negative_mean"]) == (30, pytest.approx(0.1))


def test_patients_and_networks_never_mix(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 3)
    put(db, 3, value=0.8, patient="P08")
    put(db, 3, value=0.5, model_sha256="c" * 64)
    assert baselines.update("P08", MODEL, later(4))["median_negative_mean"] == pytest.approx(0.8)
    assert baselines.holding("P07", MODEL, later(5)) is None
    baselines.update("P07", "c" * 64, later(4))
    assert baselines.holding("P07", MODEL, later(5)) is None
    assert baselines.former_network("P07", MODEL)["model_sha256"] == "c" * 64


def test_insufficient_and_running_clips_do_not_count(db) -> None:
    put(db, 3, sufficient=False)
    put(db, 3, ended_by=None)
    assert Baselines(db, RULE).progress("P07", MODEL, later(4)) == (0, 0)


def test_it_is_made_anew_once_a_day(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 5)
    first = baselines.update_daily("P07", MODEL, later(3))
    assert first is not None
    assert baselines.update_daily("P07", MODEL, later(3.9)) is None
    assert baselines.update_daily("P07", MODEL, later(4))["baseline_id"] > first["baseline_id"]


def test_a_frozen_one_holds_until_it_is_reset(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 8)
    frozen = baselines.update("P07", MODEL, later(3))
    baselines.freeze("P07", MODEL, later(3))
    assert baselines.update_daily("P07", MODEL, later(5)) is None
    with pytest.raises(NotAllowed, match="is frozen and holds until"):
        baselines.update("P07", MODEL, later(6))
    assert baselines.holding("P07", MODEL, later(7))["baseline_id"] == frozen["baseline_id"]
    baselines.reset("P07", later(7.5))
    assert baselines.holding("P07", MODEL, later(8)) is None
    assert baselines.holding("P07", MODEL, later(7.4))["baseline_id"] == frozen["baseline_id"]


def test_a_reset_leaves_earlier_clips_out(db) -> None:
    baselines = Baselines(db, RULE)
    put(db, 6)
    baselines.reset("P07", later(3))
    assert baselines.progress("P07", MODEL, later(6)) == (29, 3)


def test_freezing_nothing_is_refused(db) -> None:
    with pytest.raises(NotFoundError, match="P07 has no baseline yet"):
        Baselines(db, RULE).freeze("P07", MODEL, NOON)


def test_a_saved_clip_carries_its_z_scores(recorder: ClipRecorder, db) -> None:
    put(db, 3, value=0.3, first=later(-4))
    assert Baselines(db, RULE).update("P07", MODEL, later(-1)) is not None
    recorder.save(make_clip(0))
    (row,) = db.table("clips").rows_where("clip_id = ?", [make_clip(0).clip_id])
    assert row["baseline_id"] is not None
    assert row["z_negative_mean"] == pytest.approx((row["negative_mean"] - 0.3) / (1.4826 * 0.01))


def test_the_recorder_makes_the_days_baseline_by_itself(recorder: ClipRecorder, db) -> None:
    put(db, 3, first=later(-4))
    recorder.save(make_clip(0))
    recorder.save(make_clip(5))
    assert db.table("baselines").count == 1
    rows = list(db.table("clips").rows_where("source = 'video' AND start_utc >= ?", ["2026-11-22"]))
    assert rows[0]["baseline_id"] is None
    assert rows[-1]["baseline_id"] is not None


@pytest.fixture
def stays(db) -> Stays:
    return Stays(db)


def test_one_stay_at_a_time(stays: Stays, db) -> None:
    assert stays.start("P1", NOON) is None
    assert stays.start("P2", later(1)) == "P1"
    assert stays.present() == "P2"
    assert [row["end_utc"] for row in db.table("stays").rows] == ["2026-11-23T12:00:00.000Z", None]


def test_starting_who_is_here_already_changes_nothing(stays: Stays, db) -> None:
    stays.start("P1", NOON)
    stays.start("P1", later(1))
    assert db.table("stays").count == 1


def test_ending_nothing_is_refused(stays: Stays) -> None:
    with pytest.raises(NotFoundError, match="no patient's stay is running"):
        stays.end(NOON)


def test_the_recorder_sees_a_stay_that_another_process_begins(
    recorder: ClipRecorder, path: Path
) -> None:
    assert recorder.patient_present() is None
    other = sqlite_utils.Database(path)
    Stays(other).start("P9", NOON)
    assert recorder.patient_present() == "P9"
    Stays(other).end(NOON)
    # Not the settings' device.patient again: nobody knows who is in the bed.
    assert recorder.patient_present() == "unassigned"
    other.close()


def test_series_are_kept_only_where_they_are_asked_for(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON) as plain:
        plain.save(make_clip(0))
        assert plain.opened.db.table("seconds").count == 0
    with ClipRecorder(path, busy_timeout=1, now=NOON, keep_series=True) as keeping:
        keeping.save(make_clip(5, ended_by=None))
        keeping.save(make_clip(5))
        seconds = keeping.opened.db.table("seconds")
        assert seconds.count == make_clip(5).figures.coverage.valid_seconds


def filmed(minutes: float, source: str = "picamera2", **more) -> ClipSummary:
    clip = make_clip(minutes)
    return replace(clip, recording=replace(clip.recording, source=source), **more)


def test_old_series_are_dropped_and_their_clips_stay(path: Path) -> None:
    days = 24 * 60
    with ClipRecorder(path, busy_timeout=1, now=NOON, keep_series=True, series_days=2) as recorder:
        for minutes in (0, days, 3 * days):
            recorder.save(filmed(minutes))
        db = recorder.opened.db
        kept = {row["clip_id"] for row in db.table("seconds").rows}
        assert kept == {make_clip(3 * days).clip_id}
        assert db.table("clips").count == 3


def test_a_clock_that_runs_ahead_drops_no_series(path: Path) -> None:
    year = 365 * 24 * 60
    with ClipRecorder(path, busy_timeout=1, now=NOON, keep_series=True) as recorder:
        recorder.save(filmed(0, clock_synchronized=True))
        recorder.save(filmed(year, clock_synchronized=False))
        seconds = recorder.opened.db.table("seconds")
        assert seconds.count_where("clip_id = ?", [make_clip(0).clip_id]) > 0
        # It is believed once the device has recorded by it for a week.
        recorder.save(filmed(year + 7 * 24 * 60, clock_synchronized=False))
        assert seconds.count_where("clip_id = ?", [make_clip(0).clip_id]) == 0


def test_films_of_other_days_drop_no_series(path: Path) -> None:
    with ClipRecorder(path, busy_timeout=1, now=NOON, keep_series=True, series_days=2) as recorder:
        for minutes in (0, 100 * 24 * 60):
            recorder.save(filmed(minutes, "video"))
        kept = {row["clip_id"] for row in recorder.opened.db.table("seconds").rows}
        assert len(kept) == 2
