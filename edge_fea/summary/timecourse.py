"""How the expression moved within a clip: dwell times, bouts, transitions, instability, inertia.

All on one frame a second, with gaps: two seconds are neighbours only when one follows the other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.summary.statistics import Series

# A label takes over only when it leads the present one by this much: a face on the border between
# two labels does not count as changing back and forth.
HYSTERESIS = 0.1
# Below so many neighbouring pairs a lag-1 autocorrelation says nothing.
_LEAST_PAIRS = 30

Seconds = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TimeCourse:
    """Dwell, bouts and transitions of the seven labels."""

    dwell_s: npt.NDArray[np.int64]
    """int64 (7,): seconds spent in each label; adds up to the valid seconds."""

    bouts: npt.NDArray[np.int64]
    """int64 (7,): uninterrupted stretches in each label; a gap ends a bout."""

    transitions_per_min: float
    """Changes of label between neighbouring seconds, in a minute of valid seconds."""


def label_states(seconds: Seconds, samples: Series, hysteresis: float = HYSTERESIS) -> Seconds:
    """The label of each second as its place in ``LABELS``, int64 (n,), with hysteresis.

    ``samples`` (n, 7) are the probabilities of one frame of each of the ``seconds`` (n,). The
    present label stays until another leads it by ``hysteresis``; after a gap the strongest label
    begins anew.
    """
    states: Seconds = np.asarray(samples.argmax(axis=1), np.int64)
    for place in range(1, len(states)):
        present = states[place - 1]
        follows = seconds[place] == seconds[place - 1] + 1
        lead = samples[place, states[place]] - samples[place, present]
        if follows and lead < hysteresis:
            states[place] = present
    return states


def time_course(seconds: Seconds, states: Seconds) -> TimeCourse:
    """The time course of the labels (n,) that at least one of the ``seconds`` (n,) was in."""
    follows = np.diff(seconds) == 1
    changes = np.diff(states) != 0
    begins = np.concatenate([[True], ~follows | changes])
    labels = len(LABELS)
    return TimeCourse(
        dwell_s=np.bincount(states, minlength=labels),
        bouts=np.bincount(states[begins], minlength=labels),
        transitions_per_min=float((follows & changes).sum() / (len(seconds) / 60.0)),
    )


def mean_square_successive_difference(seconds: Seconds, values: Floats) -> float | None:
    """Mean of (x[t+1] - x[t])^2 over neighbouring seconds (von Neumann et al. 1941).

    None where fewer than 30 pairs are neighbours.
    """
    steps = np.diff(values)[np.diff(seconds) == 1]
    return float((steps * steps).mean()) if len(steps) >= _LEAST_PAIRS else None


def inertia(seconds: Seconds, values: Floats) -> float | None:
    """Lag-1 autocorrelation over neighbouring seconds, -1 to 1 (Kuppens et al. 2010).

    None where fewer than 30 pairs are neighbours, or nothing varies.
    """
    follows = np.diff(seconds) == 1
    deviations = values - values.mean()
    variance = float((deviations * deviations).mean())
    if follows.sum() < _LEAST_PAIRS or variance <= 1e-12:
        return None
    products = (deviations[1:] * deviations[:-1])[follows]
    return float(np.clip(products.mean() / variance, -1.0, 1.0))
