"""Means over days with their intervals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from edge_fea.clinic.report.reading import ReadClip
from edge_fea.summary.intervals import t_point
from edge_fea.summary.periods import LocalClip, periods

# Two days have an interval that says nothing.
_LEAST_DAYS = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over days. The ends of its 95 % interval are None with fewer than three."""

    mean: float
    low: float | None
    high: float | None
    days: int


@dataclass(frozen=True, slots=True)
class DayValues:
    """The figures of one valid day."""

    day: date
    figures: Mapping[str, float]
    """Means over sufficient clips, weighted by their valid seconds; ``seen_h``, hours seen; and
    ``motion_energy`` where it was measured."""

    recorded_h: float
    uncertain: bool
    """Whether it holds clips of a clock that was not synchronized."""


def estimate(values: Iterable[float], least_days: int = _LEAST_DAYS) -> Estimate:
    """The mean of daily values in [0, 1], with Student's interval over days.

    The interval takes the days for independent of one another.
    """
    array = np.array(list(values), np.float64)
    mean, n = float(array.mean()), len(array)
    if n < max(least_days, 2):
        return Estimate(mean, None, None, n)
    reach = t_point(n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, max(0.0, mean - reach), min(1.0, mean + reach), n)


def values_of_days(
    clips: Iterable[ReadClip], valid: Mapping[str, Sequence[LocalClip]]
) -> list[DayValues]:
    """The figures of each valid day."""
    motion: dict[str, list[tuple[float, int]]] = {}
    for clip in clips:
        if clip.local.sufficient and clip.motion is not None:
            day = clip.local.start.date().isoformat()
            motion.setdefault(day, []).append((clip.motion, clip.local.valid_seconds))
    found = []
    for name, of_day in valid.items():
        (period,) = periods(of_day, "day")
        figures = {key: value for key, value in period.figures.items() if value is not None}
        figures["seen_h"] = period.valid_seconds / 3600.0
        if name in motion:
            values, weights = zip(*motion[name], strict=True)
            figures["motion_energy"] = float(np.average(values, weights=weights))
        found.append(
            DayValues(
                day=date.fromisoformat(name),
                figures=figures,
                recorded_h=period.recorded_s / 3600.0,
                uncertain=period.unsynchronized_clips > 0,
            )
        )
    return found
