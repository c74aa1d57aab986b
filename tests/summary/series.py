"""A second series for the tests of what is made of it."""

import numpy as np

from edge_fea.summary.statistics import SecondSeries


def series_of(
    means: np.ndarray, samples: np.ndarray | None = None, seconds: np.ndarray | None = None
) -> SecondSeries:
    """Probabilities (n, 7) of neighbouring seconds, one frame each unless ``samples`` differ."""
    n = len(means)
    return SecondSeries(
        seconds=np.arange(n) if seconds is None else seconds,
        frames=np.ones(n, np.int64),
        means=means,
        samples=means if samples is None else samples,
    )
