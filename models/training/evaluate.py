"""Measure a network as the device runs it: ``python -m models.training.evaluate --help``."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import numpy.typing as npt

from edge_fea.emotions import LABELS
from edge_fea.vision.classifier import Classifier
from models.training import readers
from models.training.data import Crops
from models.training.metrics import (
    Interval,
    accuracy_interval,
    balanced_accuracy,
    calibration_error,
    confusion,
)
from models.training.train import device_crops, load, named

PAPER_FIVE = ("angry", "disgust", "fear", "happy", "neutral")
"""The classes that the paper scores on KDEF and RAVDESS."""


@dataclass(frozen=True)
class Score:
    """The measures of one network on one set."""

    name: str
    n: int
    people: int
    accuracy: Interval
    balanced: float
    calibration: float
    table: npt.NDArray[np.int64]
    """Confusion, rows the truth, columns what was found."""

    def lines(self, classes: Sequence[str]) -> list[str]:
        """The score as text, with one line for each class."""
        people = f", {self.people} people" if self.people else ""
        low, high = self.accuracy.low, self.accuracy.high
        text = [
            f"{self.name} ({self.n} crops{people}): accuracy {self.accuracy.value:.1%} "
            f"({low:.1%} to {high:.1%}), balanced {self.balanced:.1%}, "
            f"expected calibration error {self.calibration:.3f}"
        ]
        width = max(map(len, classes))
        text.append(" " * (width + 21) + " ".join(f"{c[:5]:>5}" for c in classes))
        for row, label in enumerate(classes):
            truly, found = self.table[row].sum(), self.table[:, row].sum()
            recall = self.table[row, row] / truly if truly else float("nan")
            precision = self.table[row, row] / found if found else float("nan")
            counts = " ".join(f"{v:5d}" for v in self.table[row])
            text.append(f"{label:>{width}} rec {recall:6.1%} pre {precision:6.1%} {counts}")
        return text


def score(
    name: str,
    probabilities: npt.NDArray[np.float64],
    truth: npt.NDArray[np.int64],
    people: npt.NDArray[np.str_],
    classes: Sequence[str] = LABELS,
) -> Score:
    """All measures; with fewer ``classes``, on the pictures of these only, renormalised."""
    chosen = [LABELS.index(label) for label in classes]
    inside = np.isin(truth, chosen)
    probabilities = probabilities[inside][:, chosen]
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    truth = np.asarray([chosen.index(label) for label in truth[inside]])
    people = people[inside]
    found = probabilities.argmax(axis=1)
    return Score(
        name,
        len(truth),
        len(set(people.tolist()) - {""}),
        accuracy_interval(found == truth, people),
        balanced_accuracy(truth, found),
        calibration_error(probabilities, truth),
        confusion(truth, found, len(classes)),
    )


def classify(
    classifier: Classifier, crops: Crops
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probabilities (n, 7) and P(face) (n,; 1 without a face check), through the device's code."""
    size = classifier.manifest.input.size
    readings = [classifier.read(crop[..., 0]) for crop in device_crops(crops, size)]
    faces = [1.0 if reading.face is None else reading.face for reading in readings]
    return np.stack([reading.probabilities for reading in readings]), np.asarray(faces)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.evaluate",
        description="Accuracy, calibration and confusion of a network, through the device's "
        "own classifier, on FER+ valid, the held-out LFW people, the held-out fold of KDEF, and "
        "any folder of labelled pictures or RAVDESS films.",
    )
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--fold", default="none", help="KDEF people to score on: 0 to 4, or none")
    parser.add_argument("--cache", type=Path, help="folder outside the repository for crops")
    parser.add_argument("--folder", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--ravdess", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument(
        "--classes", default=",".join(LABELS),
        help=f"score on these only, such as {','.join(PAPER_FIVE)} (the paper's)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args(arguments)

    classifier = Classifier(options.manifest)
    size = classifier.manifest.input.size
    margin = classifier.manifest.input.margin
    sets: dict[str, Crops] = {}
    for option, read in (("folder", readers.read_folder), ("ravdess", readers.read_ravdess)):
        for name, path in named(getattr(options, option), f"--{option}").items():
            sets[name] = read(Path(path), size, margin)
    if not sets:
        _, sets = load({"kdef"}, options.fold, options.cache)
    classes = tuple(options.classes.split(","))
    figures = {}
    for name, crops in sets.items():
        probabilities, _ = classify(classifier, crops)
        result = score(name, probabilities, crops.labels, crops.people, classes)
        print("\n".join(result.lines(classes)), flush=True)
        figures[name] = {
            "n": result.n,
            "accuracy": result.accuracy.value,
            "low": result.accuracy.low,
            "high": result.accuracy.high,
            "balanced_accuracy": result.balanced,
            "calibration_error": result.calibration,
            "confusion": result.table.tolist(),
        }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
