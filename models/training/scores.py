"""What is said of a network on one set of pictures: all measures, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from models.training.data import MAJORITY
from models.training.metrics import (
    Bootstrap,
    Floats,
    Interval,
    Labels,
    areas,
    calibration_error,
    confusion,
    difference_interval,
    interval_of,
    is_person,
    mean_of_classes,
    precisions,
    recalls,
    reliability,
)

PAPER_FIVE = ("angry", "disgust", "fear", "happy", "neutral")
"""The classes that the paper scores on KDEF and RAVDESS."""

MAJORITY_LABEL = "FER+ valid, majority label"
SETS = {
    "ferplus": "FER+ valid, label with most votes",
    "lfw": "LFW expressions, people held out",
    "frontal": "KDEF frontal, people held out",
    "half": "KDEF half profile, people held out",
}


@dataclass(frozen=True)
class Predictions:
    """What was said of n pictures: probabilities (n, k) by network, truth (n,), people (n,).

    ``classes`` are the labels that the k columns and the truth count. ``people`` is "" where
    nobody knows.
    """

    truth: Labels
    people: npt.NDArray[np.str_]
    probabilities: Mapping[str, Floats]
    classes: tuple[str, ...] = LABELS
    groups: npt.NDArray[np.str_] | None = None
    """(n,): free, as in Crops."""

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Predictions":
        """Some of the pictures."""
        return replace(
            self,
            truth=self.truth[chosen],
            people=self.people[chosen],
            probabilities={name: p[chosen] for name, p in self.probabilities.items()},
            groups=None if self.groups is None else self.groups[chosen],
        )

    def of(self, classes: Sequence[str]) -> "Predictions":
        """The pictures of some classes only, the probabilities renormalised over these."""
        chosen = [self.classes.index(label) for label in classes]
        inside = self.where(np.isin(self.truth, chosen))
        kept = {name: p[:, chosen] for name, p in inside.probabilities.items()}
        return replace(
            inside,
            truth=np.asarray([chosen.index(label) for label in inside.truth], np.int64),
            probabilities={name: p / p.sum(axis=1, keepdims=True) for name, p in kept.items()},
            classes=tuple(classes),
        )


def titled(key: str, predictions: Predictions) -> dict[str, Predictions]:
    """A set under its title, and the parts of it that are scored too.

    Of KDEF's frontal pictures the paper's five classes; of FER+ those with a majority label.
    """
    title = SETS.get(key, key)
    found = {title: predictions}
    agreed = None if predictions.groups is None else predictions.groups == MAJORITY
    if agreed is not None and agreed.any():
        found[MAJORITY_LABEL] = predictions.where(agreed)
    if key == "frontal" and set(PAPER_FIVE) < set(predictions.classes):
        found[f"{title}, the paper's five classes"] = predictions.of(PAPER_FIVE)
    return found


@dataclass(frozen=True)
class ClassScore:
    """One class: n pictures; recall, precision, and one-vs-rest area under the ROC curve."""

    label: str
    n: int
    recall: Interval
    precision: Interval
    area: Interval


@dataclass(frozen=True)
class Score:
    """The measures of one network on one set; the means are over the classes that occur."""

    n: int
    people: int
    accuracy: Interval
    precision: Interval
    balanced: Interval
    area: Interval
    calibration: Interval
    classes: tuple[ClassScore, ...]
    table: npt.NDArray[np.int64]
    """Confusion, rows the truth, columns what was found."""

    def to_json(self) -> dict[str, Any]:
        """The score as plain values; None where there is no value."""
        plain: dict[str, Any] = _without_nan({**asdict(self), "table": self.table.tolist()})
        return plain


def score(
    probabilities: Floats,
    truth: Labels,
    people: npt.NDArray[np.str_],
    classes: Sequence[str] = LABELS,
) -> Score:
    """All measures of probabilities (n, k), with 95 % intervals that redraw whole people."""
    bootstrap = Bootstrap(people)
    count, found = len(classes), probabilities.argmax(axis=1)
    cells = np.zeros((len(truth), count, count))
    cells[np.arange(len(truth)), truth, found] = 1
    tables, table = bootstrap.sums(cells), confusion(truth, found, count)
    recall, precision = recalls(table), precisions(table)
    all_recalls, all_precisions = recalls(tables), precisions(tables)
    area = areas(probabilities, truth)
    all_areas = np.concatenate([areas(probabilities, truth, w) for w in bootstrap.weights()])
    rows = [
        ClassScore(
            label,
            int(table[place].sum()),
            interval_of(float(recall[place]), all_recalls[:, place]),
            interval_of(float(precision[place]), all_precisions[:, place]),
            interval_of(float(area[place]), all_areas[:, place]),
        )
        for place, label in enumerate(classes)
    ]
    shares = np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))
    return Score(
        len(truth),
        sum(is_person(name) for name in set(people.tolist())),
        interval_of(float((found == truth).mean()), shares),
        interval_of(float(mean_of_classes(precision)), mean_of_classes(all_precisions)),
        interval_of(float(mean_of_classes(recall)), mean_of_classes(all_recalls)),
        interval_of(float(mean_of_classes(area)), mean_of_classes(all_areas)),
        _calibration(bootstrap, reliability(probabilities, truth)),
        tuple(rows),
        table,
    )


def _calibration(bootstrap: Bootstrap, entries: Floats) -> Interval:
    # Redrawn pictures are fewer different ones, so every draw looks worse calibrated than the
    # pictures do: the draws are taken for their spread, about the value, and not for their place.
    value, draws = (
        float(calibration_error(entries.sum(0))),
        calibration_error(bootstrap.sums(entries)),
    )
    return interval_of(value, np.maximum(draws - draws.mean() + value, 0.0))


def _without_nan(value: Any) -> Any:
    # JSON knows no NaN.
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def scores_of(predictions: Predictions) -> dict[str, Score]:
    """The score of each network."""
    return {
        name: score(probabilities, predictions.truth, predictions.people, predictions.classes)
        for name, probabilities in predictions.probabilities.items()
    }


def gain(predictions: Predictions, ours: str, theirs: str) -> Interval:
    """The accuracy that network ``ours`` has above ``theirs``, paired by picture, by person."""
    right = {
        name: predictions.probabilities[name].argmax(axis=1) == predictions.truth
        for name in (ours, theirs)
    }
    return difference_interval(right[ours], right[theirs], predictions.people)
