"""Retention beside the recording: daily, on record, and never in the way."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_fea.capture.clock import iso
from edge_fea.device.housekeeping import DailyRetention
from edge_fea.errors import StoreUnwritable
from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipRecorder
from edge_fea.store.retention import Removed
from edge_fea.store.rows import row_of
from tests.conftest import NOON, FakeClock
from tests.store.clip_factory import make_clip

DAY = timedelta(days=1)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[ClipRecorder]:
    with ClipRecorder(tmp_path / "a.db", busy_timeout=1, now=NOON) as opened:
        yield opened


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit.db", busy_timeout=1)


def put(recorder: ClipRecorder, name: str, days_ago: float, **columns: object) -> None:
    start = iso(NOON - days_ago * DAY)
    row = row_of(make_clip()) | {"clip_id": name, "start_utc": start, **columns}
    recorder.opened.db.table("clips").insert(row)


def daily(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, days: int = 30
) -> DailyRetention:
    return DailyRetention(recorder.retention, trail, days, clock)


def test_it_is_applied_after_the_first_clip_and_then_once_a_day(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock
) -> None:
    keeper = daily(recorder, trail, clock)
    put(recorder, "a", 31)
    assert keeper.after_clip() == Removed(clips=1)
    put(recorder, "b", 32)
    clock.time += 86_000
    assert keeper.after_clip() is None
    clock.time += 400
    assert keeper.after_clip() == Removed(clips=1)


def test_what_went_is_on_record_and_in_the_log(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    put(recorder, "a", 31)
    with caplog.at_level(logging.INFO):
        daily(recorder, trail, clock).after_clip()
    begun, done = trail.rows()
    assert (done["who"], done["action"], done["outcome"]) == ("service", "retention", "done")
    assert done["to_utc"] == iso(NOON - 30 * DAY)
    assert done["note"] == "1 clips, 0 seconds, 0 baselines, 0 resets, 0 stays"
    assert (begun["outcome"], done["ends"]) == ("begun", 1)
    assert "older than 30 days, and erased: 1 clips" in caplog.text


def test_a_day_on_which_nothing_is_too_old_leaves_no_row(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock
) -> None:
    put(recorder, "a", 3)
    assert daily(recorder, trail, clock).after_clip() is None
    assert not trail.path.exists()


def test_zero_days_keep_everything(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock
) -> None:
    put(recorder, "a", 4000)
    assert daily(recorder, trail, clock, 0).after_clip() is None
    assert recorder.opened.db.table("clips").count == 1


def test_a_clock_that_jumped_ahead_erases_nothing_and_that_is_said_once(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    put(recorder, "a", 1, clock_synchronized=0)
    clock.right, clock.wall = False, NOON + 3650 * DAY
    keeper = daily(recorder, trail, clock)
    for _ in range(3):
        assert keeper.after_clip() is None
        clock.time += 86_400
    assert caplog.text.count("nothing is erased while the clock is not known to be right") == 1
    assert recorder.opened.db.table("clips").count == 1


def test_without_a_row_on_record_nothing_goes_and_it_is_tried_again(
    recorder: ClipRecorder, trail: AuditTrail, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(AuditTrail):
        broken = True

        def append(self, entry, now):
            if self.broken:
                raise StoreUnwritable("cannot write the trail")
            return super().append(entry, now)

    put(recorder, "a", 31)
    broken = Broken(trail.path, busy_timeout=1)
    keeper = daily(recorder, broken, clock)
    assert keeper.after_clip() is None
    assert "retention: cannot write the trail" in caplog.text
    assert recorder.opened.db.table("clips").count == 1
    broken.broken = False
    assert keeper.after_clip() == Removed(clips=1)
