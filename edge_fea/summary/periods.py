"""Clips gathered into hours, parts of the day, days and weeks of the patient's local time.

A clip belongs to the local hour, day and week in which it starts, by the zone's rules at that
moment: on the day when clocks go back, both hours called 2 o'clock are gathered as hour 2, and that
day simply holds more recorded time. Figures are means over sufficient clips, weighted by their
valid seconds; coverage is over all clips.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from typing import Final, Literal, NamedTuple

import numpy as np

from edge_fea.emotions import LABELS
from edge_fea.summary.intervals import t_point

By = Literal["hour", "daypart", "day", "week"]

DAYPARTS: Final[tuple[tuple[str, int], ...]] = (
    ("night", 0),
    ("morning", 6),
    ("midday", 11),
    ("late", 15),
    ("evening", 20),
)
"""Parts of the day by the local hour at which they begin."""

FIGURES: Final[tuple[str, ...]] = (
    *(f"mean_{label}" for label in LABELS),
    "negative_mean",
    "expressivity_mean",
)
"""The columns of clips that periods average."""


class LocalClip(NamedTuple):
    """What periods need to know of one clip, or of several of one hour that were gathered."""

    start: datetime
    """Aware, in the patient's zone as it was at that moment."""

    duration_s: float
    valid_seconds: int
    sufficient: bool
    figures: tuple[float | None, ...]
    """In the order of ``FIGURES``; numbers where ``sufficient``."""

    synchronized: bool = True
    """False where the clock was not known to be right: day and hour may be wrong."""

    clips: int = 1
    """How many clips stand here together; seconds are then sums, and figures means that are
    weighted by valid seconds."""


@dataclass(frozen=True, slots=True)
class Period:
    """The clips of one period."""

    name: str
    clips: int
    sufficient_clips: int
    recorded_s: float
    valid_seconds: int
    figures: Mapping[str, float | None]
    """Means weighted by valid seconds; None without a sufficient clip."""

    unsynchronized_clips: int
    """Clips that may belong to another hour or day: the clock was not synchronized."""

    @property
    def coverage(self) -> float:
        """Valid seconds over recorded seconds, 0 to 1."""
        return min(1.0, self.valid_seconds / self.recorded_s) if self.recorded_s > 0 else 0.0


_PARTS: Final = tuple(
    [name for name, begins in DAYPARTS if begins <= hour][-1] for hour in range(24)
)


def daypart(hour: int) -> str:
    """The part of the day that a local hour, 0 to 23, belongs to."""
    return _PARTS[hour]


def _week(start: datetime) -> str:
    year, week, _ = start.isocalendar()
    return f"{year}-W{week:02}"


_NAMES: Final[Mapping[By, Callable[[datetime], str]]] = {
    "hour": lambda start: f"{start.hour:02}:00",
    "daypart": lambda start: daypart(start.hour),
    "day": lambda start: start.date().isoformat(),
    "week": _week,
}
_ORDER = {name: place for place, (name, _) in enumerate(DAYPARTS)}


def periods(clips: Iterable[LocalClip], by: By) -> list[Period]:
    """The clips gathered by local ``hour``, ``daypart``, ``day`` or ISO ``week``, in order."""
    gathered: dict[str, list[LocalClip]] = {}
    name = _NAMES[by]
    for clip in clips:
        gathered.setdefault(name(clip.start), []).append(clip)
    order = sorted(gathered, key=lambda each: (_ORDER.get(each, 0), each))
    return [_period(each, gathered[each]) for each in order]


def _period(name: str, clips: Sequence[LocalClip]) -> Period:
    scored = [clip for clip in clips if clip.sufficient]
    means: dict[str, float | None] = dict.fromkeys(FIGURES)
    if scored:
        weights = np.array([clip.valid_seconds for clip in scored], np.float64)
        values = np.array([clip.figures for clip in scored], np.float64)
        averages = weights @ values / weights.sum()
        means = dict(zip(FIGURES, averages.tolist(), strict=True))
    return Period(
        name=name,
        clips=sum(clip.clips for clip in clips),
        sufficient_clips=sum(clip.clips for clip in scored),
        recorded_s=float(sum(clip.duration_s for clip in clips)),
        valid_seconds=sum(clip.valid_seconds for clip in clips),
        figures=means,
        unsynchronized_clips=sum(clip.clips for clip in clips if not clip.synchronized),
    )


def valid_days(clips: Iterable[LocalClip], least_dayparts: int = 3) -> dict[str, list[LocalClip]]:
    """All clips of each day that has sufficient ones in at least so many parts of the day.

    A day seen only in the morning says little of the day; the rule is this project's convention.
    """
    days: dict[str, list[LocalClip]] = {}
    for clip in clips:
        days.setdefault(clip.start.date().isoformat(), []).append(clip)
    return {
        day: of_day
        for day, of_day in sorted(days.items())
        if len({daypart(c.start.hour) for c in of_day if c.sufficient}) >= least_dayparts
    }


@dataclass(frozen=True, slots=True)
class Contrast:
    """A mean of differences within days, with its 95 % interval.

    The interval takes the days for independent of one another.
    """

    mean: float
    low: float
    high: float
    days: int
    coverage: float
    """Seconds seen over seconds recorded in the clips that were compared, 0 to 1."""


def late_minus_midday(
    days: Mapping[str, Sequence[LocalClip]], figure: str = "negative_mean"
) -> Contrast | None:
    """Late afternoon less midday of a figure, within each day that has both.

    The interval is Student's t over days. None with fewer than three such days.
    """
    differences: list[float] = []
    compared: list[Period] = []
    for clips in days.values():
        parts: dict[str, list[LocalClip]] = {"late": [], "midday": []}
        for clip in clips:
            if (part := daypart(clip.start.hour)) in parts:
                parts[part].append(clip)
        late, midday = (_period(name, of_part) for name, of_part in parts.items())
        high, low = late.figures[figure], midday.figures[figure]
        if high is not None and low is not None:
            differences.append(high - low)
            compared += [late, midday]
    if len(differences) < 3:
        return None
    values = np.array(differences)
    reach = t_point(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    mean = float(values.mean())
    return Contrast(mean, mean - reach, mean + reach, len(values), _seen(compared))


@dataclass(frozen=True, slots=True)
class Trend:
    """A robust slope over weeks, with its 95 % interval.

    The interval takes the weeks for independent of one another.
    """

    per_week: float
    low: float
    high: float
    weeks: int
    coverage: float
    """Seconds seen over seconds recorded in the clips of these weeks, 0 to 1."""


def weekly_trend(
    days: Mapping[str, Sequence[LocalClip]], figure: str = "negative_mean"
) -> Trend | None:
    """Theil-Sen slope of a figure's weekly means (Sen 1968), over weeks with valid days.

    The interval is Sen's, by ranks of the pairwise slopes. None with fewer than five
    weeks, which have no 95 % interval.
    """
    weeks: dict[int, list[LocalClip]] = {}
    for day, of_day in days.items():
        # Weeks are counted from a Monday, date 1 of the proleptic calendar.
        weeks.setdefault((date.fromisoformat(day).toordinal() - 1) // 7, []).extend(of_day)
    points: list[tuple[int, float]] = []
    gathered = [(week, _period("", of_week)) for week, of_week in sorted(weeks.items())]
    for week, period in gathered:
        value = period.figures[figure]
        if value is not None:
            points.append((week, value))
    n = len(points)
    if n < 5:
        return None
    slopes = np.sort([(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(points, 2)])
    # Kendall's variance of the number of concordant less discordant pairs.
    spread = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = max(0, math.floor((len(slopes) - spread) / 2.0) - 1)
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2.0))
    coverage = _seen([period for _, period in gathered])
    return Trend(float(np.median(slopes)), float(slopes[low]), float(slopes[high]), n, coverage)


def _seen(gathered: Sequence[Period]) -> float:
    recorded = sum(period.recorded_s for period in gathered)
    return min(1.0, sum(period.valid_seconds for period in gathered) / recorded)
