"""Whether some days differ from days before them: a robust shift with its 95 % interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Consistent with the standard deviation of a normal distribution (Rousseeuw & Croux 1993).
_CONSISTENT = 1.4826
# Of the rank-sum distribution in each tail: what is left to both sides of a 95 % interval.
_TAIL = 0.025
# A shift counts where it exceeds the usual spread of single days this many times.
_SPREADS = 1.5


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the later values lie from the earlier ones."""

    by: float
    """Hodges-Lehmann estimate: the median of all differences, later less earlier."""

    low: float
    high: float
    """Ends of its 95 % interval, by the rank-sum test (Hollander & Wolfe 1999, section 4.3)."""

    usual: float
    """How far single earlier values lie from each other: 1.4826 MAD."""

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero and the shift is 1.5 times the usual spread.

        Days resemble their neighbours, which the interval does not know; the second condition
        keeps what is an ordinary run of days from being called a change
        (``benchmarks/changes_called.py`` prints how often it does).
        """
        return not self.low <= 0.0 <= self.high and abs(self.by) > _SPREADS * self.usual


def shift(before: Sequence[float], after: Sequence[float]) -> Shift | None:
    """How far ``after`` lies from ``before``; None where they are too few for an interval."""
    earlier, later = np.array(before, np.float64), np.array(after, np.float64)
    rank = _rank(len(earlier), len(later))
    if rank < 1:
        return None
    differences = np.sort(np.subtract.outer(later, earlier), axis=None)
    spread = _CONSISTENT * float(np.median(np.abs(earlier - np.median(earlier))))
    return Shift(
        by=float(np.median(differences)),
        low=float(differences[rank - 1]),
        high=float(differences[-rank]),
        usual=spread,
    )


def _rank(n: int, m: int) -> int:
    """Which difference from either end bounds the interval; 0 where even the ends do not."""
    if n < 1 or m < 1:
        return 0
    below = np.cumsum(_arrangements(n, m))
    return int((below / below[-1] <= _TAIL).sum())


def _arrangements(n: int, m: int) -> npt.NDArray[np.float64]:
    """In how many ways ``n`` and ``m`` values interleave with each rank sum, from the least up.

    The coefficients of the Gaussian binomial: prod (1 - x^(n + i)) / (1 - x^i), i = 1 to m.
    """
    ways = np.zeros(n * m + 1)
    ways[0] = 1.0
    for i in range(1, m + 1):
        for place in range(n * m, n + i - 1, -1):
            ways[place] -= ways[place - n - i]
        for place in range(i, n * m + 1):
            ways[place] += ways[place - i]
    return ways
