"""Scores as Markdown, as the model card shows them."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge_fea.vision.manifest import Figure
from models.training.metrics import Interval
from models.training.scores import Predictions, Score, gain, scores_of

MEASURES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "balanced": "recall (balanced accuracy)",
    "area": "AUC",
    "calibration": "calibration error",
}

FEW = 20
"""Of fewer pictures than these, shares of a class say next to nothing."""


def percent(share: Interval) -> str:
    """A share such as "86.4 % (80.1 to 91.2)"; a dash where there is none."""
    if np.isnan(share.value):
        return "–"
    spread = "" if np.isnan(share.low) else f" ({100 * share.low:.1f} to {100 * share.high:.1f})"
    return f"{100 * share.value:.1f} %{spread}"


def number(figure: Interval) -> str:
    """A figure such as "0.043 (0.030 to 0.061)"; a dash where there is none."""
    if np.isnan(figure.value):
        return "–"
    spread = "" if np.isnan(figure.low) else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.3f}{spread}"


def points(difference: Interval) -> str:
    """A difference of shares in percentage points, such as "+0.2 points (−0.4 to +0.8)"."""
    value, low, high = (100 * v for v in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table, a line each."""
    lines = [head, *rows]
    text = [f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines]
    return [text[0], "|" + "---|" * len(head), *text[1:]]


def report(title: str, predictions: Predictions) -> tuple[list[str], dict[str, Score]]:
    """All results on one set, the networks side by side; and the scores themselves."""
    scores = scores_of(predictions)
    first = next(iter(scores.values()))
    people = f", {first.people} people" if first.people else ""
    lines = [f"### {title} ({first.n:,} pictures{people})", "", *overview(scores)]
    if {"int8", "float"} <= set(scores):
        lines += ["", f"int8 less float, accuracy: {points(gain(predictions, 'int8', 'float'))}"]
    lines += ["", *by_class(scores)]
    for name, found in scores.items():
        head = [f"{name}: truth \\ found", *predictions.classes]
        rows = [
            [label, *map(str, row)]
            for label, row in zip(predictions.classes, found.table.tolist(), strict=True)
        ]
        lines += ["", *markdown(head, rows)]
    return lines, scores


def overview(scores: Mapping[str, Score]) -> list[str]:
    """A row for each name: accuracy and the means over the classes."""
    return markdown(
        ["", *MEASURES.values()],
        [
            [name, *(_shown(measure, getattr(found, measure)) for measure in MEASURES)]
            for name, found in scores.items()
        ],
    )


def by_class(scores: Mapping[str, Score]) -> list[str]:
    """A row for each class; a column for each measure and name, where there are FEW or more."""
    head = ["class", "n"]
    head += [f"{what} {name}" for what in ("recall", "precision", "AUC") for name in scores]
    rows = []
    for place, one in enumerate(next(iter(scores.values())).classes):
        if 0 < one.n < FEW:
            rows.append([one.label, str(one.n), *["too few"] * (len(head) - 2)])
            continue
        each = [found.classes[place] for found in scores.values()]
        rows.append(
            [
                one.label,
                str(one.n),
                *(percent(c.recall) for c in each),
                *(percent(c.precision) for c in each),
                *(number(c.area) for c in each),
            ]
        )
    return markdown(head, rows)


def figures_of(score: Score, what: str) -> list[Figure]:
    """A score as lines of a manifest; what has no value has no line."""
    measures = {
        "accuracy": score.accuracy,
        "precision, mean over the classes": score.precision,
        "balanced accuracy": score.balanced,
        "area under the ROC curve": score.area,
        "expected calibration error": score.calibration,
    }
    return [
        figure_of(figure, what, name, score.n)
        for name, figure in measures.items()
        if not np.isnan(figure.value)
    ]


def figure_of(value: Interval, data: str, measure: str, n: int) -> Figure:
    """One line of a manifest, to four digits."""
    low, high = (None if np.isnan(v) else round(v, 4) for v in (value.low, value.high))
    return Figure(data=data, measure=measure, value=round(value.value, 4), low=low, high=high, n=n)


def _shown(measure: str, figure: Interval) -> str:
    return number(figure) if measure in ("area", "calibration") else percent(figure)
