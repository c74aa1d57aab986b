"""Measures of a classifier, on arrays: no files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from models.training.data import picture_names

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
BINS = 15


def softmax(logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities, each row's sum 1, of logits (n, k) divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def logits_of(probabilities: Floats, temperature: float = 1.0) -> Floats:
    """Logits that ``softmax`` at this temperature turns into the probabilities (n, k)."""
    return np.asarray(np.log(np.maximum(probabilities, 1e-30)) * temperature)


def sigmoid(logits: npt.ArrayLike) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, np.float64))))


def negative_log_likelihood(
    logits: npt.ArrayLike, truth: Labels, temperature: float = 1.0
) -> float:
    """Mean of -log P(truth)."""
    probabilities = softmax(logits, temperature)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())


def fit_temperature(sets: list[tuple[npt.ArrayLike, Labels]]) -> float:
    """The temperature of least mean negative log likelihood (Guo et al. 2017, section 4.2).

    Each set of logits and labels counts the same, whatever its size.
    """

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        return float(np.mean([negative_log_likelihood(x, truth, temperature) for x, truth in sets]))

    # The loss is convex in 1 / temperature, so it has one minimum here too.
    bounds = (np.log(0.2), np.log(8.0))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def confusion(truth: Labels, found: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts, (classes, classes): rows are the truth, columns what was found."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, found), 1)
    return table


def recalls(tables: npt.ArrayLike) -> Floats:
    """Share of each class that was found, of confusion tables (..., k, k); NaN without pictures."""
    tables = np.asarray(tables, np.float64)
    return _ratio(np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(axis=-1))


def precisions(tables: npt.ArrayLike) -> Floats:
    """Share of what was called a class that is of it, of confusion tables (..., k, k).

    0 for a class that was never found, NaN for one without pictures.
    """
    tables = np.asarray(tables, np.float64)
    found = tables.sum(axis=-2)
    shares = np.where(found > 0, _ratio(np.diagonal(tables, axis1=-2, axis2=-1), found), 0.0)
    return np.where(tables.sum(axis=-1) > 0, shares, np.nan)


def mean_of_classes(values: Floats) -> Floats:
    """The mean (...,) over the classes (..., k) that occur: a macro average."""
    seen = ~np.isnan(values)
    return _ratio(np.where(seen, values, 0.0).sum(axis=-1), seen.sum(axis=-1))


def reliability(probabilities: Floats, truth: Labels, bins: int = BINS) -> Floats:
    """What calibration is judged by, (n, bins, 3): each picture's entry in its confidence's bin.

    An entry is 1, the confidence, and whether it was right; summed over pictures: how many, the
    sum of their confidence, and how many were right. Bins are of equal width.
    """
    confidence = probabilities.max(axis=1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    entries = np.zeros((len(truth), bins, 3))
    right = probabilities.argmax(axis=1) == truth
    entries[np.arange(len(truth)), place] = np.stack([np.ones(len(truth)), confidence, right], 1)
    return entries


def calibration_error(sums: Floats) -> Floats:
    """Expected calibration error (Guo et al. 2017, eq. 3), of summed entries (..., bins, 3)."""
    gaps = np.abs(sums[..., 2] - sums[..., 1]).sum(axis=-1)
    return _ratio(gaps, sums[..., 0].sum(axis=-1))


def areas(probabilities: Floats, truth: Labels, weights: Floats | None = None) -> Floats:
    """Area under the ROC curve of each class against the rest, (k,), or (draws, k).

    The chance that a picture of the class is given a higher probability of it than another one,
    ties counting half (Hanley & McNeil 1982). ``weights`` (draws, n) counts each picture so many
    times in each draw: all draws share one sort, which a library's function would do for each. NaN
    for a class that a draw does not hold, or holds alone.
    """
    counts = np.ones((1, len(truth))) if weights is None else weights
    found = np.empty((len(counts), probabilities.shape[1]))
    for label in range(found.shape[1]):
        order = np.argsort(probabilities[:, label])
        values = probabilities[order, label]
        starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
        inside, sorted_counts = truth[order] == label, counts[:, order]
        own = np.add.reduceat(sorted_counts * inside, starts, axis=1)
        others = np.add.reduceat(sorted_counts * ~inside, starts, axis=1)
        below = others.cumsum(axis=1) - others / 2
        pairs = own.sum(axis=1) * others.sum(axis=1)
        found[:, label] = _ratio((own * below).sum(axis=1), pairs)
    return found[0] if weights is None else found


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Bootstrap:
    """Percentile bootstrap that redraws whole clusters: people.

    Pictures of one person are alike: redrawing pictures would make the interval too narrow. Where
    no person is known ("") each picture is a cluster of its own. ``clusters`` is (n,).
    """

    def __init__(self, clusters: npt.NDArray[np.str_], draws: int = 2000, seed: int = 0) -> None:
        names = np.where(clusters == "", picture_names(len(clusters)), clusters)
        names, self.place = np.unique(names, return_inverse=True)
        drawn = np.random.default_rng(seed).integers(0, len(names), (draws, len(names)))
        self.counts = np.zeros((draws, len(names)), np.float32)
        np.add.at(self.counts, (np.arange(draws)[:, None], drawn), 1)
        """How often each draw, (draws, clusters), holds each cluster."""

    def sums(self, entries: npt.ArrayLike) -> Floats:
        """Sums over the pictures of each draw, (draws, ...), of entries (n, ...)."""
        entries = np.asarray(entries, np.float64)
        by_cluster = np.zeros((self.counts.shape[1], *entries.shape[1:]))
        np.add.at(by_cluster, self.place, entries)
        return np.tensordot(self.counts.astype(np.float64), by_cluster, axes=1)

    def interval(self, entries: npt.ArrayLike, measure: Callable[[Floats], Floats]) -> Interval:
        """A measure (...) -> (...) of summed entries, of the pictures as they are, and its 95 %."""
        entries = np.asarray(entries, np.float64)
        return interval_of(float(measure(entries.sum(axis=0))), measure(self.sums(entries)))

    def weights(self) -> Iterator[Floats]:
        """How often each draw holds each picture, (draws, n), a hundred draws at a time."""
        for first in range(0, len(self.counts), 100):
            yield np.asarray(self.counts[first : first + 100, self.place], np.float64)


def is_person(name: str) -> bool:
    """Whether a cluster's name is a person's."""
    return bool(name) and not name.startswith("#")


def interval_of(value: float, draws: Floats) -> Interval:
    """The 95 % interval that the draws (d,) give; NaN where no draw has a value."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def share_interval(hits: npt.NDArray[np.bool_], clusters: npt.NDArray[np.str_]) -> Interval:
    """The share of True, such as an accuracy, with its interval by person."""
    entries = np.stack([hits, np.ones(len(hits))], axis=1)
    return Bootstrap(clusters).interval(entries, lambda sums: sums[..., 0] / sums[..., 1])


def difference_interval(
    ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_], clusters: npt.NDArray[np.str_]
) -> Interval:
    """What share ``ours`` has above ``theirs``, on the same pictures: paired, by person."""
    entries = np.stack([ours.astype(float) - theirs, np.ones(len(ours))], axis=1)
    return Bootstrap(clusters).interval(entries, lambda sums: sums[..., 0] / sums[..., 1])


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
