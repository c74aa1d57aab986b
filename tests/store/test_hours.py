"""Clips gathered into hours within the database say the same as the clips one by one."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import get_args

import pytest

from edge_fea.capture.clock import local
from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.summary.periods import (
    FIGURES,
    By,
    LocalClip,
    late_minus_midday,
    periods,
    valid_days,
    weekly_trend,
)
from tests.clinic.simulated import Plan, simulate

# Two hours are called 2 o'clock on 25 October; one day has a clock that nobody has set.
PLAN = Plan(days=45, first_day=date(2026, 10, 1), shift_day=20, off_days=(7,), unsynchronized_day=9)
ALL = ClipFilter()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ClipReader:
    path = tmp_path_factory.mktemp("hours") / "clips.db"
    simulate(path, plan=PLAN)
    return ClipReader(path, busy_timeout=1)


def one_by_one(reader: ClipReader) -> list[LocalClip]:
    names = ("start_utc", "utc_offset", "corrected_start_utc", "corrected_utc_offset")
    flags = ("duration_s", "valid_seconds", "sufficient", "clock_synchronized")
    return [
        LocalClip(
            local(row[2] or row[0], row[3] or row[1]),
            row[4],
            row[5],
            bool(row[6]),
            row[8:],
            row[7] != 0 or row[2] is not None,
        )
        for row in reader.columns_of((*names, *flags, *FIGURES), ALL)
    ]


def by_hour(reader: ClipReader) -> list[LocalClip]:
    return [
        LocalClip(
            h.start, h.duration_s, h.valid_seconds, h.sufficient, h.means, h.synchronized, h.clips
        )
        for h in reader.hours(FIGURES, ALL)
    ]


def known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}


@pytest.mark.parametrize("by", get_args(By))
def test_every_period_is_that_of_its_clips(reader: ClipReader, by: By) -> None:
    gathered, single = periods(by_hour(reader), by), periods(one_by_one(reader), by)
    assert len(gathered) == len(single) > 4
    for one, other in zip(gathered, single, strict=True):
        assert (one.name, one.clips, one.sufficient_clips) == (
            other.name,
            other.clips,
            other.sufficient_clips,
        )
        assert one.unsynchronized_clips == other.unsynchronized_clips
        assert (one.recorded_s, one.valid_seconds) == (other.recorded_s, other.valid_seconds)
        assert known(one.figures) == pytest.approx(known(other.figures), rel=1e-12)


def test_contrast_and_trend_are_those_of_the_clips(reader: ClipReader) -> None:
    gathered, single = valid_days(by_hour(reader)), valid_days(one_by_one(reader))
    assert list(gathered) == list(single)
    for measure in (late_minus_midday, weekly_trend):
        one, other = measure(gathered), measure(single)
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-9)


def test_the_hour_that_comes_twice_is_two_hours_of_one_name(reader: ClipReader) -> None:
    starts = Counter(
        hour.start.strftime("%H %z")
        for hour in reader.hours(FIGURES, ALL)
        if hour.start.date() == date(2026, 10, 25) and hour.start.hour in (1, 2, 3)
    )
    assert set(starts) == {"01 +0200", "02 +0200", "02 +0100", "03 +0100"}


def test_only_clips_that_are_wanted_are_gathered(reader: ClipReader) -> None:
    wanted = ClipFilter(sufficient=False)
    hours = list(reader.hours(FIGURES, wanted))
    assert sum(hour.clips for hour in hours) == reader.count(wanted) > 0
    assert not any(hour.sufficient for hour in hours)
