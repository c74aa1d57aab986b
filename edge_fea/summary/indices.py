"""Indices of a clip: negative share, variety, the model's doubt, expressivity.

None of them is a diagnosis or a clinical scale.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS, NEGATIVE, NEUTRAL
from edge_fea.summary.intervals import MeanInterval, mean_interval
from edge_fea.summary.statistics import SecondSeries
from edge_fea.summary.timecourse import inertia, mean_square_successive_difference

_NEGATIVE = [place for place, label in enumerate(LABELS) if label in NEGATIVE]
_NEUTRAL = LABELS.index(NEUTRAL)

DURATION_BANDS: tuple[tuple[str, int], ...] = (
    ("never", 1),
    ("under 16 s", 16),
    ("16 to 59 s", 60),
    ("1 to 5 min", 301),
)
"""Bands of dwell times by their upper end in seconds, exclusive; beyond them "over 5 min"."""


@dataclass(frozen=True, slots=True)
class Indices:
    """Indices of a clip that was seen enough."""

    negative: MeanInterval
    """Mean probability of angry, disgust, fear and sad together."""

    negative_time: float
    """Share of the valid seconds spent in a negative label."""

    variety_bits: float
    """Shannon entropy of the mean probabilities, 0 to log2(7) = 2.81 bits."""

    doubt_bits: float
    """Mean Shannon entropy of the single frames, averaged over seconds: the model's doubt."""

    expressivity: MeanInterval
    """Mean of 1 - P(neutral)."""

    expressivity_sd: float
    """Standard deviation (n - 1) of 1 - P(neutral) in one frame of each second."""

    negative_mssd: float | None
    negative_inertia: float | None
    expressivity_mssd: float | None
    expressivity_inertia: float | None
    motion: float | None
    """Mean facial motion energy; None where no two seconds that were seen are neighbours."""


def indices(
    series: SecondSeries,
    states: npt.NDArray[np.int64],
    doubt: npt.NDArray[np.float64],
    motion: npt.NDArray[np.float64],
) -> Indices:
    """Indices of a series of n seconds.

    ``states`` (n,) are the seconds' labels, ``doubt`` (n,) the mean entropies of their frames,
    ``motion`` (m,) the motion energies that were measured.
    """
    seconds = series.seconds
    negative = series.samples[:, _NEGATIVE].sum(axis=1)
    expressivity = 1.0 - series.samples[:, _NEUTRAL]
    return Indices(
        negative=mean_interval(seconds, series.means[:, _NEGATIVE].sum(axis=1)),
        negative_time=float(np.isin(states, _NEGATIVE).mean()),
        variety_bits=float(entropy_bits(series.means.mean(axis=0))),
        doubt_bits=float(doubt.mean()),
        expressivity=mean_interval(seconds, 1.0 - series.means[:, _NEUTRAL]),
        expressivity_sd=float(expressivity.std(ddof=1)) if len(seconds) > 1 else 0.0,
        negative_mssd=mean_square_successive_difference(seconds, negative),
        negative_inertia=inertia(seconds, negative),
        expressivity_mssd=mean_square_successive_difference(seconds, expressivity),
        expressivity_inertia=inertia(seconds, expressivity),
        motion=float(motion.mean()) if len(motion) else None,
    )


def entropy_bits(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shannon entropy along the last axis, in bits; 0 log 0 is 0."""
    safe = np.where(probabilities > 0.0, probabilities, 1.0)
    return np.asarray(-(probabilities * np.log2(safe)).sum(axis=-1), np.float64)


def duration_band(dwell_s: int) -> str:
    """The band that a dwell time in seconds falls into. A band, not a rating scale."""
    for name, end in DURATION_BANDS:
        if dwell_s < end:
            return name
    return "over 5 min"
