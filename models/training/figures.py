"""Plots of what was measured, as SVG: confusion, ROC curves, reliability. No pictures of people."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from models.training.metrics import calibration_error, confusion, reliability
from models.training.scores import Predictions

INCHES = 3.4
ROC_POINTS = 60
Draw = Callable[[Axes, Predictions, str], None]


def draw_all(sets: Mapping[str, Predictions], folder: Path, prefix: str = "") -> list[Path]:
    """Write confusion.svg, roc.svg and reliability.svg; the files written.

    A column of panels for each set, named by its title, a row for each network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Draw] = {
        "confusion": _confusion, "roc": _roc, "reliability": _reliability
    }  # fmt: skip
    files = []
    for name, draw in drawn.items():
        file = folder / f"{prefix}{name}.svg"
        # The same figures give the same file: no date, and ids that are not drawn by lot.
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 8}):
            _panels(sets, draw).savefig(file, metadata={"Date": None})
        files.append(file)
    return files


def _panels(sets: Mapping[str, Predictions], draw: Draw) -> Figure:
    networks = list(next(iter(sets.values())).probabilities)
    figure = Figure((INCHES * len(sets), INCHES * len(networks)), layout="constrained")
    panels: Any = figure.subplots(len(networks), len(sets), squeeze=False)
    for row, network in enumerate(networks):
        for panel, (title, predictions) in zip(panels[row], sets.items(), strict=True):
            draw(panel, predictions, network)
            panel.set_title(f"{title}\n{network}, n = {len(predictions.truth):,}", fontsize=8)
    return figure


def _confusion(panel: Axes, predictions: Predictions, network: str) -> None:
    found = predictions.probabilities[network].argmax(axis=1)
    classes = predictions.classes
    counts = confusion(predictions.truth, found, len(classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if shares[row, column] > 0.5 else "black"
        panel.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=7)
    panel.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    panel.set_yticks(range(len(classes)), classes)
    panel.set(xlabel="found", ylabel="truth")


def _roc(panel: Axes, predictions: Predictions, network: str) -> None:
    # As many points as an eye can tell apart: thousands would make megabytes of SVG.
    grid = np.linspace(0, 1, ROC_POINTS) ** 2
    for place, label in enumerate(predictions.classes):
        positive = predictions.truth == place
        if not positive.any() or positive.all():
            continue
        false, true, _ = roc_curve(positive, predictions.probabilities[network][:, place])
        panel.plot(grid, np.interp(grid, false, true), linewidth=1, label=label)
    panel.plot([0, 1], [0, 1], color="grey", linewidth=0.5, linestyle=":")
    panel.legend(fontsize=7, loc="lower right")
    panel.set(xlabel="false positive rate", ylabel="true positive rate")


def _reliability(panel: Axes, predictions: Predictions, network: str) -> None:
    sums = reliability(predictions.probabilities[network], predictions.truth).sum(axis=0)
    filled = sums[:, 0] > 0
    count, confidence, right = sums[filled].T
    places = np.flatnonzero(filled)
    panel.bar((places + 0.5) / len(sums), right / count, width=0.9 / len(sums), color="#9ecae1")
    panel.plot(confidence / count, right / count, "o", markersize=3, color="#08519c")
    panel.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    share = panel.twinx()
    share.step(
        (places + 0.5) / len(sums), count / count.sum(), where="mid", color="#cb181d", linewidth=0.8
    )
    share.set_ylabel("share of pictures", color="#cb181d")
    share.set_ylim(0, 1)
    error = calibration_error(sums)
    panel.set(
        xlim=(0, 1), ylim=(0, 1), xlabel=f"confidence (calibration error {error:.3f})",
        ylabel="share found right",
    )  # fmt: skip
