"""Hours, parts of the day, days and weeks of local time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_fea.summary.periods import (
    FIGURES,
    LocalClip,
    daypart,
    late_minus_midday,
    periods,
    valid_days,
    weekly_trend,
)

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def clip(
    start: datetime, value: float | None = 0.3, *, zone=BERLIN, seconds: int = 300
) -> LocalClip:
    figures = (value,) * len(FIGURES)
    return LocalClip(start.astimezone(zone), 300.0, seconds, value is not None, figures)


def day_of_clips(zone: ZoneInfo, year: int, month: int, day: int, step=5) -> list[LocalClip]:
    """Clips one after the other from local midnight to the next, by the clock that never jumps."""
    moment = datetime(year, month, day, tzinfo=zone).astimezone(UTC)
    end = (datetime(year, month, day, tzinfo=zone) + timedelta(days=1)).astimezone(UTC)
    found = []
    while moment < end:
        found.append(clip(moment, zone=zone))
        moment += timedelta(minutes=step)
    return found


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        (BERLIN, (2026, 3, 29), 23),
        (BERLIN, (2026, 10, 25), 25),
        (NEW_YORK, (2026, 3, 8), 23),
        (NEW_YORK, (2026, 11, 1), 25),
        (BERLIN, (2026, 6, 1), 24),
    ],
)
def test_days_of_23_and_25_hours_hold_what_was_recorded(zone, date, hours: int) -> None:
    clips = day_of_clips(zone, *date)
    (day,) = periods(clips, "day")
    assert day.recorded_s == hours * 3600
    assert day.coverage == 1.0
    by_hour = {period.name: period.recorded_s for period in periods(clips, "hour")}
    assert sum(by_hour.values()) == hours * 3600
    changing = "02:00" if zone is BERLIN else ("02:00" if hours == 23 else "01:00")
    assert by_hour.get(changing, 0.0) == {23: 0.0, 24: 3600.0, 25: 7200.0}[hours]


def test_the_offset_at_the_start_decides_not_todays() -> None:
    winter, summer = (datetime(2026, month, 1, 22, 30, tzinfo=UTC) for month in (1, 7))
    names = [period.name for period in periods([clip(winter), clip(summer)], "hour")]
    assert names == ["00:00", "23:00"]


def test_figures_are_weighted_by_valid_seconds() -> None:
    noon = datetime(2026, 6, 1, 10, tzinfo=UTC)
    (day,) = periods([clip(noon, 0.2, seconds=300), clip(noon, 0.8, seconds=100)], "day")
    assert day.figures["negative_mean"] == pytest.approx(0.35)
    assert day.coverage == pytest.approx(400 / 600)


def test_insufficient_clips_count_for_coverage_only() -> None:
    noon = datetime(2026, 6, 1, 10, tzinfo=UTC)
    (day,) = periods([clip(noon, 0.2), clip(noon, None, seconds=30)], "day")
    assert (day.clips, day.sufficient_clips, day.valid_seconds) == (2, 1, 330)
    assert day.figures["negative_mean"] == pytest.approx(0.2)


def test_a_period_without_a_sufficient_clip_is_null_not_zero() -> None:
    noon = datetime(2026, 6, 1, 10, tzinfo=UTC)
    (day,) = periods([clip(noon, None, seconds=10)], "day")
    assert set(day.figures.values()) == {None}


def test_every_hour_has_its_part_of_the_day() -> None:
    assert [daypart(hour) for hour in (0, 5, 6, 10, 11, 14, 15, 19, 20, 23)] == [
        *["night"] * 2,
        *["morning"] * 2,
        *["midday"] * 2,
        *["late"] * 2,
        *["evening"] * 2,
    ]


def test_parts_of_the_day_come_in_their_order_and_weeks_by_iso() -> None:
    clips = day_of_clips(BERLIN, 2026, 6, 1, step=60)
    assert [p.name for p in periods(clips, "daypart")] == [
        "night",
        "morning",
        "midday",
        "late",
        "evening",
    ]
    new_year = [
        clip(datetime(2026, 12, 31, 12, tzinfo=UTC)),
        clip(datetime(2027, 1, 1, 12, tzinfo=UTC)),
    ]
    assert [p.name for p in periods(new_year, "week")] == ["2026-W53"]


def test_a_day_seen_in_two_parts_only_is_not_valid() -> None:
    hours = [datetime(2026, 6, 1, hour, tzinfo=UTC) for hour in (6, 10, 14)]
    assert valid_days([clip(h) for h in hours]).keys() == {"2026-06-01"}
    assert valid_days([clip(h) for h in hours[:2]]) == {}
    assert valid_days([clip(hours[0]), clip(hours[1]), clip(hours[2], None)]) == {}
    assert valid_days([clip(h) for h in hours[:2]], least_dayparts=2).keys() == {"2026-06-01"}


def weeks_of_days(count: int, late: float, per_week: float, noise: float = 0.0):
    dice = np.random.default_rng(1)
    clips = []
    for day in range(count):
        for hour, more in ((8, 0.0), (10, 0.0), (15, late)):
            moment = datetime(2026, 5, 4, hour, tzinfo=UTC) + timedelta(days=day)
            clips.append(clip(moment, 0.3 + more + per_week * day / 7 + noise * dice.normal()))
    return valid_days(clips)


def test_late_minus_midday_is_found_with_its_interval() -> None:
    contrast = late_minus_midday(weeks_of_days(20, late=0.1, per_week=0.0, noise=0.02))
    assert contrast is not None
    assert contrast.days == 20
    assert contrast.low < 0.1 < contrast.high
    assert contrast.low > 0.05


def test_a_trend_over_weeks_is_found_and_one_bad_week_does_not_make_it() -> None:
    trend = weekly_trend(weeks_of_days(63, late=0.0, per_week=0.01, noise=0.01))
    assert trend is not None
    assert trend.weeks == 9
    assert trend.low <= 0.01 <= trend.high
    flat = weeks_of_days(63, late=0.0, per_week=0.0)
    spoilt = {
        day: [LocalClip(c.start, 300.0, 300, True, (0.9,) * len(FIGURES)) for c in clips]
        if day >= "2026-06-29"
        else clips
        for day, clips in flat.items()
    }
    trend = weekly_trend(spoilt)
    assert trend is not None
    assert trend.per_week == pytest.approx(0.0, abs=1e-9)


def test_too_little_has_no_contrast_and_no_trend() -> None:
    assert late_minus_midday(weeks_of_days(2, late=0.1, per_week=0.0)) is None
    assert weekly_trend(weeks_of_days(21, late=0.0, per_week=0.1)) is None
