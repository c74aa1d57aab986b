"""95 % intervals of a mean over seconds that resemble their neighbours.

A face changes slowly, so 300 seconds of it hold far less information than 300 independent
readings: a naive standard error claims far too much. The interval here was chosen by the coverage
that it reaches in simulation (``benchmarks/interval_coverage.py`` prints it beside the naive one
and a moving-block bootstrap).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Lags, in seconds, to which the model of the autocorrelation is fitted.
_LAGS = 40
# Decays per second that are tried: from one second's memory to minutes. One process is fitted
# finely, a fast and a slow one together coarsely.
_DECAYS = np.concatenate([np.arange(0.02, 0.9, 0.02), np.arange(0.9, 0.992, 0.005)])
_PAIRED = np.array([0.1, 0.3, 0.5, 0.65, 0.75, 0.83, 0.89, 0.93, 0.955, 0.97, 0.98, 0.99])
_FAST, _SLOW = np.triu_indices(len(_PAIRED), 1)
# Twice the rise in the fit's quality below which the seconds count as independent, about the
# 5 % point of what independent seconds give; and below which one process is enough.
_EVIDENCE = 4.0
_EVIDENCE_OF_TWO = 2.0
_ROUNDS = 8
# Variances below this are rounding: nothing varied.
_ROUNDING = 1e-18
# Degrees of freedom for each effective second from which a variance is estimated.
_FREEDOM = 0.2
MINIMUM_N_EFF = 10.0
"""Below this many effective seconds a figure stands on little, and is flagged."""

# Two-sided 95 % points of Student's t by degrees of freedom.
_FREEDOMS = np.array([1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120, np.inf])
_POINTS = np.array(
    [
        *(12.706, 8.028, 6.017, 4.303, 3.575, 3.182, 2.776, 2.571, 2.447),
        *(2.306, 2.228, 2.131, 2.086, 2.042, 2.000, 1.980, 1.960),
    ]
)


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    n_eff: float
    """How many independent seconds would say as much, 1 to the number of seconds."""


def mean_interval(seconds: npt.NDArray[np.int64], values: Floats) -> MeanInterval:
    """The mean of ``values`` in [0, 1], float64 (n,), taken at the whole ``seconds``, int64 (n,).

    The variance of the mean is sum over all pairs of seconds of C(|i - j|) / n^2 (Priestley 1981,
    eq. 5.3.5; gaps simply leave pairs out), with the autocovariance modelled as
    C(k) = s^2 a d^k for k > 0: a slow process (d) seen through independent noise (1 - a); where
    that fits clearly better, as s^2 (a d^k + b e^k): a fast and a slow process. They are fitted
    to the sample autocovariances of the first lags by least squares, weighted by their number of
    pairs; these are first corrected for the mean having been estimated from the same seconds,
    which lowers each by about the variance of the mean (Percival 1993), in a few rounds.
    The interval is Student's t on the logit scale, so that it stays within [0, 1]. A slow process
    is known from few of its ups and downs however much noise hides them, so the degrees of freedom
    are those of the fitted processes put together (Satterthwaite 1946), each with a fifth of its
    own effective seconds: what makes the intervals cover 95 % in simulation.
    """
    n = len(values)
    mean = float(values.mean())
    share, known_from = _variance_share(seconds, values - mean)
    n_eff = min(float(n), 1.0 / share)
    variance = float(values.var()) * share / (1.0 - share) if n > 1 else 0.0
    if variance <= _ROUNDING or not 0.0 < mean < 1.0:
        return MeanInterval(mean, mean, mean, n_eff)
    # A slow process that is not there is fitted now and then: without the floor, such clips would
    # get intervals that say nothing.
    freedom = _FREEDOM * max(known_from, min(n_eff, MINIMUM_N_EFF))
    reach = t_point(freedom) * np.sqrt(variance) / (mean * (1.0 - mean))
    centre = np.log(mean / (1.0 - mean))
    low, high = (float(1.0 / (1.0 + np.exp(-(centre + side)))) for side in (-reach, reach))
    return MeanInterval(mean, low, high, n_eff)


def t_point(freedom: float) -> float:
    """Two-sided 95 % point of Student's t, interpolated in 1 / freedom; from 1 upwards."""
    return float(np.interp(1.0 / max(freedom, 1.0), 1.0 / _FREEDOMS[::-1], _POINTS[::-1]))


def _variance_share(seconds: npt.NDArray[np.int64], deviations: Floats) -> tuple[float, float]:
    """Variance of the mean over the variance of one second: 1 / n_eff, from 1 / n to 1 / 2.

    Also from how many effective seconds that is known.
    """
    n = len(deviations)
    least = 1.0 / n
    span = int(seconds[-1] - seconds[0]) + 1
    lags = min(_LAGS, span - 1)
    if n < 4 or lags < 1:
        return (max(least, 0.5), 1.0) if n > 1 else (1.0, 1.0)
    series, present = np.zeros(span), np.zeros(span)
    series[seconds - seconds[0]] = deviations
    present[seconds - seconds[0]] = 1.0
    products, pairs = _lagged(series), np.rint(_lagged(present))
    covariances = products / np.maximum(pairs, 1.0)
    if covariances[0] <= _ROUNDING:
        return least, float(n)
    fit = _Fit(pairs, lags)
    share, processes = least, list[_Process]()
    for _ in range(_ROUNDS):
        lowered = share / (1.0 - share)
        rho = (covariances[1 : lags + 1] / covariances[0] + lowered) / (1.0 + lowered)
        processes = fit.processes(rho)
        before, correlated = share, sum(each.strength * each.pair_sum for each in processes)
        share = float(np.clip((n + correlated) / n**2, least, 0.5))
        if abs(share - before) < 1e-6:
            break
    return share, _known_from(n, processes)


class _Process(NamedTuple):
    """A process among those that the seconds are taken to be made of."""

    strength: float
    """Its share of the variance of one second."""

    pair_sum: float
    """Its autocorrelation summed over all pairs of different seconds."""


def _known_from(n: int, processes: Sequence[_Process]) -> float:
    """Effective seconds behind the variance of the mean (Satterthwaite 1946, eq. 17).

    The variance is the sum of those of the processes and of the noise that is left.
    """
    noise = (1.0 - sum(each.strength for each in processes)) / n
    variances = [each.strength * (n + each.pair_sum) / n**2 for each in processes]
    spread = noise**2 / n + sum(
        variance**2 * (n + each.pair_sum) / n**2
        for variance, each in zip(variances, processes, strict=True)
    )
    return float((noise + sum(variances)) ** 2 / spread)


class _Fit:
    """Fits the model of the autocorrelation to sample ones at the lags 1 to ``lags``.

    ``pairs`` holds the number of pairs of seconds at each lag from 0 on.
    """

    def __init__(self, pairs: Floats, lags: int) -> None:
        self._weight = pairs[1 : lags + 1]
        powers = np.arange(1, len(pairs))
        one, two = _DECAYS[:, np.newaxis] ** powers, _PAIRED[:, np.newaxis] ** powers
        self._one, self._two = one[:, :lags], two[:, :lags]
        self._energy = (self._weight * self._one**2).sum(axis=1)
        self._gram = (self._weight * self._two) @ self._two.T
        # What a decay of strength 1 adds to the sum over all pairs of seconds.
        self._one_sums, self._two_sums = 2.0 * one @ pairs[1:], 2.0 * two @ pairs[1:]

    def processes(self, rho: Floats) -> list[_Process]:
        """What fits the autocorrelations best: none (independent seconds), one, or two."""
        energy = float((self._weight * rho * rho).sum())
        projected = (self._weight * self._one * rho).sum(axis=1)
        strength = np.clip(projected / np.maximum(self._energy, 1e-12), 0.0, 1.0)
        errors = energy - 2.0 * strength * projected + strength**2 * self._energy
        best = int(errors.argmin())
        if energy - errors[best] < _EVIDENCE:
            return []
        both = self._two_processes(rho, energy)
        if both is not None and errors[best] - both[0] > _EVIDENCE_OF_TWO:
            return both[1]
        return [_Process(float(strength[best]), float(self._one_sums[best]))]

    def _two_processes(self, rho: Floats, energy: float) -> tuple[float, list[_Process]] | None:
        """The best pair and its error; None where no pair has two allowed strengths."""
        moments = (self._weight * self._two) @ rho
        fast, slow = self._gram[_FAST, _FAST], self._gram[_SLOW, _SLOW]
        cross, m_fast, m_slow = self._gram[_FAST, _SLOW], moments[_FAST], moments[_SLOW]
        # Cramer's rule for all pairs of decays at once.
        determinant = np.maximum(fast * slow - cross * cross, 1e-12)
        a = (slow * m_fast - cross * m_slow) / determinant
        b = (fast * m_slow - cross * m_fast) / determinant
        allowed = (a >= 0.0) & (b >= 0.0) & (a + b <= 1.0)
        if not allowed.any():
            return None
        errors = energy - 2.0 * (a * m_fast + b * m_slow)
        errors += a * a * fast + 2.0 * a * b * cross + b * b * slow
        best = int(np.where(allowed, errors, np.inf).argmin())
        return float(errors[best]), [
            _Process(float(strength[best]), float(self._two_sums[decay[best]]))
            for strength, decay in ((a, _FAST), (b, _SLOW))
        ]


def _lagged(values: Floats) -> Floats:
    """Sums of products at all lags from 0 on, by the fast Fourier transform."""
    length = 2 * len(values)
    spectrum = np.fft.rfft(values, length)
    return np.asarray(np.fft.irfft(spectrum * spectrum.conj(), length)[: len(values)], np.float64)
