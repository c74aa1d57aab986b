"""Retention: what is older than the policy goes; a wrong clock does not empty the device."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge_fea.capture.clock import iso
from edge_fea.errors import StoreBusy
from edge_fea.store.clips import ClipReader, ClipRecorder
from edge_fea.store.patients import Stays
from edge_fea.store.retention import Limit, Removed, Retention
from edge_fea.store.rows import row_of
from edge_fea.store.traces import search, traces_of
from tests.clinic.simulated import simulate
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import make_clip

DAY = timedelta(days=1)


@pytest.fixture
def recorder(path: Path) -> Iterator[ClipRecorder]:
    with ClipRecorder(path, busy_timeout=0.2, now=NOON) as opened:
        yield opened


@pytest.fixture
def retention(recorder: ClipRecorder) -> Retention:
    return recorder.retention


def put(recorder: ClipRecorder, name: str, start: datetime, **columns: object) -> None:
    """A clip of two seconds of series that starts at a moment."""
    row = row_of(make_clip()) | {"clip_id": name, "start_utc": iso(start), **columns}
    recorder.opened.db.table("clips").insert(row)
    chances = {f"p_{label}": 1 / 7 for label in _LABELS}
    recorder.opened.db.table("seconds").insert_all(
        {"clip_id": name, "second": second, "frames": 4, **chances} for second in range(2)
    )


_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def limit(days: int = 30, *, now: datetime = NOON, synchronized: bool = True) -> Limit:
    return Limit.of(days, FakeClock(wall=now, right=synchronized))


def left(recorder: ClipRecorder) -> list[str]:
    clips = recorder.opened.db.query("SELECT clip_id FROM clips ORDER BY rowid")
    return [clip["clip_id"] for clip in clips]


def test_clips_go_when_they_are_older_than_the_policy_with_their_series(
    recorder: ClipRecorder, retention: Retention
) -> None:
    put(recorder, "old", NOON - 31 * DAY)
    put(recorder, "just", NOON - 30 * DAY + timedelta(seconds=1))
    put(recorder, "new", NOON - DAY)
    assert retention.due(limit()) == 1
    assert retention.apply(limit(), wait=True) == Removed(clips=1, seconds=2)
    assert left(recorder) == ["just", "new"]
    series = recorder.opened.db.query("SELECT DISTINCT clip_id FROM seconds ORDER BY 1")
    assert [row["clip_id"] for row in series] == ["just", "new"]
    assert retention.due(limit()) == 0
    assert not retention.apply(limit(), wait=True)


def test_the_running_clip_stays_whatever_its_start_says(
    recorder: ClipRecorder, retention: Retention
) -> None:
    put(recorder, "running", NOON - 400 * DAY, ended_by=None)
    assert retention.due(limit()) == 0
    assert not retention.apply(limit(), wait=True)


def test_what_has_gone_is_in_no_file(path: Path) -> None:
    """Without a VACUUM, and with clips that were written again and again before."""
    simulate(path, 12, "P07", seed=3)
    with closing(sqlite3.connect(path)) as db:
        traces = traces_of(db, "P07")
        (last,) = db.execute("SELECT max(start_utc) FROM clips").fetchone()
    now = datetime.fromisoformat(last) + 400 * DAY
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        removed = recorder.retention.apply(limit(30, now=now), wait=True)
        assert removed.clips == len(traces.clip_ids) > 3000
        assert removed.baselines > 0
        assert search(path.parent.iterdir(), traces).found == {}


def test_of_a_stay_that_ended_long_ago_only_the_times_are_kept(
    recorder: ClipRecorder, retention: Retention
) -> None:
    stays = Stays(recorder.opened.db)
    stays.start("P07", NOON - 50 * DAY)
    stays.start("P08", NOON - 40 * DAY)
    stays.start("P09", NOON - 10 * DAY)
    assert retention.due(limit()) == 1
    assert retention.apply(limit(), wait=True) == Removed(stays=1)
    names = [row["patient"] for row in recorder.opened.db.query("SELECT * FROM stays")]
    assert names == ["unassigned", "P08", "P09"]
    assert retention.due(limit()) == 0


def baseline(recorder: ClipRecorder, patient: str, last: datetime, *, frozen: bool = False) -> int:
    row = {
        "patient": patient,
        "model_sha256": "ab" * 32,
        "made_utc": iso(last + DAY),
        "first_utc": iso(last - 14 * DAY),
        "last_utc": iso(last),
        "days": 14,
        "clips": 30,
        "frozen": frozen,
    }
    return recorder.opened.db.table("baselines").insert(row).last_pk


def test_baselines_go_when_no_clip_that_is_left_was_compared_with_them(
    recorder: ClipRecorder, retention: Retention
) -> None:
    used = baseline(recorder, "P07", NOON - 40 * DAY)
    baseline(recorder, "P07", NOON - 50 * DAY)
    frozen = baseline(recorder, "P07", NOON - 60 * DAY, frozen=True)
    baseline(recorder, "P08", NOON - 60 * DAY, frozen=True)
    new = baseline(recorder, "P08", NOON - 5 * DAY)
    put(recorder, "clip", NOON - DAY, baseline_id=used, patient="P07")
    put(recorder, "old", NOON - 35 * DAY, patient="P08")
    assert retention.apply(limit(), wait=True).baselines == 2
    found = recorder.opened.db.query("SELECT baseline_id FROM baselines ORDER BY 1")
    assert [row["baseline_id"] for row in found] == [used, frozen, new]


def test_a_reset_goes_after_the_baselines_that_it_ended(
    recorder: ClipRecorder, retention: Retention
) -> None:
    """Else a frozen one that was reset would hold again."""
    resets = recorder.opened.db.table("baseline_resets")
    for patient in ("P07", "P08"):
        resets.insert({"patient": patient, "at_utc": iso(NOON - 40 * DAY)})
    baseline(recorder, "P07", NOON - 60 * DAY, frozen=True)
    put(recorder, "clip", NOON - DAY, patient="P07")
    put(recorder, "old", NOON - 35 * DAY)
    assert retention.apply(limit(), wait=True).resets == 1
    assert [row["patient"] for row in resets.rows] == ["P07"]


def test_a_corrected_start_is_what_counts(recorder: ClipRecorder, retention: Retention) -> None:
    put(
        recorder,
        "corrected",
        NOON - 400 * DAY,
        clock_synchronized=0,
        corrected_start_utc=iso(NOON - DAY),
        corrected_utc_offset="+01:00",
    )
    put(recorder, "old", NOON - 31 * DAY)
    retention.apply(limit(), wait=True)
    assert left(recorder) == ["corrected"]


def test_a_clip_whose_clock_was_wrong_waits_until_one_recorded_after_it_is_too_old(
    recorder: ClipRecorder, retention: Retention
) -> None:
    put(recorder, "doubtful-1", NOON - 400 * DAY, clock_synchronized=0)
    put(recorder, "old", NOON - 31 * DAY)
    put(recorder, "doubtful-2", NOON - 400 * DAY, clock_synchronized=0)
    put(recorder, "new", NOON - DAY)
    retention.apply(limit(), wait=True)
    assert left(recorder) == ["doubtful-2", "new"]
    retention.apply(limit(now=NOON + 40 * DAY), wait=True)
    assert left(recorder) == []


def test_on_a_device_without_a_right_clock_its_own_clock_counts(
    recorder: ClipRecorder, retention: Retention
) -> None:
    put(recorder, "old", NOON - 31 * DAY, clock_synchronized=0)
    put(recorder, "new", NOON - DAY, clock_synchronized=0)
    retention.apply(limit(synchronized=False), wait=True)
    assert left(recorder) == ["new"]


def test_a_clock_that_nothing_has_set_is_believed_after_a_week_of_clips(
    recorder: ClipRecorder, retention: Retention
) -> None:
    put(recorder, "before", NOON - 31 * DAY, clock_synchronized=0)
    ahead = NOON + 3650 * DAY
    for day in range(10):
        put(recorder, f"ahead-{day}", ahead + day * DAY, clock_synchronized=0)
        believed = retention.believes(limit(now=ahead + day * DAY, synchronized=False))
        assert believed == (day >= 6), day
    assert retention.believes(limit(now=ahead))


@pytest.mark.parametrize("days", [1, 3, 7, 30])
def test_a_short_policy_is_believed_too_though_it_leaves_no_week_of_clips(
    recorder: ClipRecorder, retention: Retention, days: int
) -> None:
    for hour in range(24 * (days + 1)):
        put(recorder, f"{hour}", NOON - timedelta(hours=hour), clock_synchronized=0)
    retention.apply(limit(days, synchronized=False), wait=True)
    assert retention.believes(limit(days, synchronized=False))


def test_the_journal_is_emptied_and_a_reader_is_not_waited_for(
    recorder: ClipRecorder, retention: Retention, path: Path
) -> None:
    journal = Path(f"{path}-wal")
    put(recorder, "old", NOON - 31 * DAY)
    with ClipReader(path, busy_timeout=1) as reader, reader.one_moment():
        put(recorder, "new", NOON)
        assert retention.apply(limit(), wait=False).clips == 1
        assert journal.stat().st_size > 0
    put(recorder, "older", NOON - 41 * DAY)
    retention.apply(limit(), wait=False)
    assert journal.stat().st_size == 0
    (timeout,) = recorder.opened.db.execute("PRAGMA busy_timeout").fetchone()
    assert timeout == 200


def test_while_another_process_writes_nothing_is_removed(
    recorder: ClipRecorder, retention: Retention, path: Path
) -> None:
    put(recorder, "old", NOON - 31 * DAY)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            retention.apply(limit(), wait=True)
    assert left(recorder) == ["old"]
