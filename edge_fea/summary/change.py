"""Whether the average of some days differs from that of days before them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_fea.summary.intervals import t_point

# A shift counts where it exceeds the usual spread of single days this many times.
_SPREADS = 1.5


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the average of the later values lies from that of the earlier ones."""

    by: float
    """Later mean less earlier mean."""

    low: float
    high: float
    """Ends of its 95 % interval (Welch 1947): the two spreads need not be alike."""

    spread: float
    """Standard deviation of single earlier values."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero and the shift is 1.5 times the spread of a day.

        Days resemble their neighbours, which the interval does not know; the second condition
        keeps what is an ordinary run of days from being called a change
        (``benchmarks/changes_called.py`` prints how often it does).
        """
        return not self.low <= 0.0 <= self.high and abs(self.by) > _SPREADS * self.spread


def shift(before: Sequence[float], after: Sequence[float]) -> Shift | None:
    """How far the mean of ``after`` lies from that of ``before``; None with fewer than two each."""
    earlier, later = np.array(before, np.float64), np.array(after, np.float64)
    n, m = len(earlier), len(later)
    if min(n, m) < 2:
        return None
    by = float(later.mean() - earlier.mean())
    first, second = float(earlier.var(ddof=1)) / n, float(later.var(ddof=1)) / m
    reach = 0.0
    if first + second > 0.0:
        # Degrees of freedom of the sum of two variances (Satterthwaite 1946, eq. 17).
        share = first / (first + second)
        freedom = 1.0 / (share**2 / (n - 1) + (1.0 - share) ** 2 / (m - 1))
        reach = t_point(freedom) * math.sqrt(first + second)
    return Shift(by, by - reach, by + reach, math.sqrt(first * n))
