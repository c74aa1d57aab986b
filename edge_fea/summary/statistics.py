"""Statistics of the second series. Pure functions on arrays; no clock, no files.

The second series is one row of seven probabilities for each whole second that holds a valid
frame, float64, shape (seconds, 7), in the order of ``edge_fea.emotions.LABELS``. All figures are
taken on it: the means do not depend on the frame rate, spreads a little, as more frames in a second
average out more of the network's noise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.summary.intervals import MeanInterval, mean_interval

Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmotionFigures:
    """What the second series says of the seven labels."""

    mean: npt.NDArray[np.float64]
    """float64 (7,): arithmetic mean over the seconds; adds up to 1."""

    sd: npt.NDArray[np.float64]
    """float64 (7,): sample standard deviation over the seconds (n - 1); 0 for one second."""

    dominant: str
    """The label of the highest mean; of two equal ones the first in the order of the labels."""

    margin: float
    """The highest mean less the second highest, 0 to 1."""

    intervals: tuple[MeanInterval, ...]
    """Of each label: 95 % interval that allows for autocorrelation, and n_eff."""

    indeterminate: bool
    """Whether the 95 % interval of the margin holds 0: no label is surely ahead."""


def emotion_figures(seconds: npt.NDArray[np.int64], series: Series) -> EmotionFigures:
    """Figures of a series (n, 7) taken at the whole ``seconds`` (n,), n at least 1.

    Raises ValueError for another shape.
    """
    if series.ndim != 2 or series.shape[0] == 0 or series.shape[1] != len(LABELS):
        raise ValueError(f"series is {series.shape}, must be (seconds >= 1, {len(LABELS)})")
    mean = series.mean(axis=0)
    sd = series.std(axis=0, ddof=1) if len(series) > 1 else np.zeros(len(LABELS))
    # Stable, so that of two equal means the first in the order of the labels leads.
    first, second = np.argsort(-mean, kind="stable")[:2]
    return EmotionFigures(
        mean=mean,
        sd=sd,
        dominant=LABELS[int(first)],
        margin=float(mean[first] - mean[second]),
        intervals=tuple(mean_interval(seconds, column) for column in series.T),
        indeterminate=_is_indeterminate(seconds, series[:, first] - series[:, second]),
    )


def _is_indeterminate(seconds: npt.NDArray[np.int64], leads: npt.NDArray[np.float64]) -> bool:
    """``leads`` lie in [-1, 1]; halved and raised they are a mean in [0, 1] with 0.5 for none."""
    return mean_interval(seconds, (leads + 1.0) / 2.0).low <= 0.5
