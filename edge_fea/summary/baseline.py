"""What is usual for one patient: median and MAD of each index over some days of clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

BASELINE_INDICES: Final[tuple[str, ...]] = (
    "negative_mean",
    "negative_time",
    "expressivity_mean",
    "expressivity_sd",
    "transitions_per_min",
    "motion_energy",
    "variety_bits",
    "doubt_bits",
)
"""The columns of a clip that have a baseline, and a z-score ``z_<name>`` against it."""

# The MAD of a normal distribution times this is its standard deviation (Rousseeuw & Croux 1993).
_CONSISTENT = 1.4826


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for one index."""

    median: float
    mad: float
    """Median absolute deviation from the median, not scaled."""

    def z(self, value: float) -> float | None:
        """(value - median) / (1.4826 MAD), a robust z-score; None where nothing ever varied."""
        return (value - self.median) / (_CONSISTENT * self.mad) if self.mad > 0 else None


@dataclass(frozen=True, slots=True)
class BaselineRule:
    """When there is enough for a baseline."""

    days: int
    """How many days back clips are taken from."""

    least_days: int
    least_clips: int


DEFAULT_RULE: Final = BaselineRule(days=14, least_days=3, least_clips=30)


def usual_of(
    clips: Sequence[Mapping[str, float | None]], days: int, rule: BaselineRule
) -> dict[str, Usual] | None:
    """The usual of each index over ``clips`` of ``days`` different days.

    None where there are too few of either. An index of which fewer clips than ``least_clips`` have
    a value is left out.
    """
    if days < rule.least_days or len(clips) < rule.least_clips:
        return None
    found: dict[str, Usual] = {}
    for name in BASELINE_INDICES:
        values = np.array([value for clip in clips if (value := clip[name]) is not None])
        if len(values) >= rule.least_clips:
            median = float(np.median(values))
            found[name] = Usual(median, float(np.median(np.abs(values - median))))
    return found


def z_scores(
    clip: Mapping[str, float | None], usual: Mapping[str, Usual]
) -> dict[str, float | None]:
    """``z_<name>`` for each index: null where the clip, or the baseline, has no value."""
    scores: dict[str, float | None] = {}
    for name in BASELINE_INDICES:
        value = clip[name]
        known = usual.get(name)
        scores[f"z_{name}"] = None if value is None or known is None else known.z(value)
    return scores
