"""Measures of a classifier, on arrays: pure numpy, no files."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def softmax(logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities, each row's sum 1, of logits (n, k) divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: npt.ArrayLike) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, np.float64))))


def confusion(truth: Labels, found: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts, (classes, classes): rows are the truth, columns what was found."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, found), 1)
    return table


def balanced_accuracy(truth: Labels, found: Labels) -> float:
    """The mean, over the classes that occur, of the share found right."""
    return float(np.mean([(found[truth == label] == label).mean() for label in np.unique(truth)]))


def calibration_error(probabilities: Floats, truth: Labels, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3): equal-width bins of the confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for one in np.unique(place):
        inside = place == one
        total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(total)


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
    candidates = np.exp(np.linspace(np.log(0.2), np.log(8.0), 600))
    losses = [
        np.mean([negative_log_likelihood(logits, truth, t) for logits, truth in sets])
        for t in candidates
    ]
    return float(candidates[int(np.argmin(losses))])


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def accuracy_interval(
    right: npt.NDArray[np.bool_], clusters: npt.NDArray[np.str_], draws: int = 2000, seed: int = 0
) -> Interval:
    """Accuracy with a percentile bootstrap interval that redraws whole clusters (people).

    Pictures of one person are alike: redrawing pictures would make the interval too narrow.
    Where no person is known ("") each picture is a cluster of its own.
    """
    names, place = np.unique(clusters, return_inverse=True)
    if len(names) == 1 and names[0] == "":
        place = np.arange(len(right))
    hits = np.bincount(place, weights=right)
    sizes = np.bincount(place)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(sizes), (draws, len(sizes)))
    values = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(right.mean()), float(low), float(high))
