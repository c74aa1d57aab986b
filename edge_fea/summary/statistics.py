"""Statistics of the second series. Pure functions on arrays; no clock, no files.

The second series is one row of seven probabilities for each whole second that holds a valid
frame, float64, shape (seconds, 7), in the order of ``edge_fea.emotions.LABELS``: the means over the
second's valid frames. Beside it stands the sampled series, of the same shape: the first valid
frame of each second.

Means and their intervals are taken on the second series, which uses all frames. Whatever tells how
much and how fast something varied is taken on the sampled series: averaging within a second removes
the noise of single frames by their number, so a spread of averages would depend on the frame rate.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.summary.intervals import MeanInterval, mean_interval

Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SecondSeries:
    """What was seen second by second, n seconds with a valid frame."""

    seconds: npt.NDArray[np.int64]
    """int64 (n,): whole seconds since the clip's start that hold a valid frame, rising."""

    frames: npt.NDArray[np.int64]
    """int64 (n,): valid frames in each."""

    means: Series
    """float64 (n, 7): mean probabilities of each: the second series."""

    samples: Series
    """float64 (n, 7): probabilities of the first valid frame of each: the sampled series."""


@dataclass(frozen=True, slots=True)
class EmotionFigures:
    """What the second series says of the seven labels."""

    mean: npt.NDArray[np.float64]
    """float64 (7,): arithmetic mean over the seconds; adds up to 1."""

    sd: npt.NDArray[np.float64]
    """float64 (7,): sample standard deviation (n - 1) of the sampled series; 0 for one second."""

    dominant: str
    """The label of the highest mean; of two equal ones the first in the order of the labels."""

    margin: float
    """The highest mean less the second highest, 0 to 1."""

    intervals: tuple[MeanInterval, ...]
    """Of each label: 95 % interval that allows for autocorrelation, and n_eff."""

    indeterminate: bool
    """Whether the 95 % interval of the margin holds 0: no label is surely ahead."""


def emotion_figures(series: SecondSeries) -> EmotionFigures:
    """Figures of a series of at least one second. Raises ValueError for another shape."""
    seconds, means = series.seconds, series.means
    if means.ndim != 2 or means.shape[0] == 0 or means.shape[1] != len(LABELS):
        raise ValueError(f"series is {means.shape}, must be (seconds >= 1, {len(LABELS)})")
    mean = means.mean(axis=0)
    sd = series.samples.std(axis=0, ddof=1) if len(means) > 1 else np.zeros(len(LABELS))
    # Stable, so that of two equal means the first in the order of the labels leads.
    first, second = np.argsort(-mean, kind="stable")[:2]
    return EmotionFigures(
        mean=mean,
        sd=sd,
        dominant=LABELS[int(first)],
        margin=float(mean[first] - mean[second]),
        intervals=tuple(mean_interval(seconds, column) for column in means.T),
        indeterminate=_is_indeterminate(seconds, means[:, first] - means[:, second]),
    )


def _is_indeterminate(seconds: npt.NDArray[np.int64], leads: npt.NDArray[np.float64]) -> bool:
    """``leads`` lie in [-1, 1]; halved and raised they are a mean in [0, 1] with 0.5 for none."""
    return mean_interval(seconds, (leads + 1.0) / 2.0).low <= 0.5
