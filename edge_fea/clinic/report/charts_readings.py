"""Charts of the readings: the seven expressions, the usual range, how long each lasted."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from edge_fea.clinic.report.compare import Change, Comparison
from edge_fea.clinic.report.drawing import (
    INK,
    MUTED,
    ORANGE,
    PALE,
    Box,
    Label,
    Labels,
    bare,
    canvas,
    key_above,
    lines,
    plot_area,
    rectangles,
    style,
)
from edge_fea.clinic.report.estimates import Estimate
from edge_fea.clinic.report.svg import to_svg
from edge_fea.clinic.report.words import Words
from edge_fea.emotions import NEGATIVE

EXPRESSIONS: Final = ("neutral", "happy", "surprise", "sad", "angry", "fear", "disgust")
"""The order on the page: the four that count as negative stand together at the end."""

IN_PERCENT: Final = ("negative_mean", "expressivity_mean", "mean_happy")
"""What is compared and has per cent for its unit."""

_NEGATIVE_SHADE: Final = "#8c8c8c"

# From never to long: light to dark, even in grey.
_BANDS: Final = ("#ffffff", "#d6e6f2", "#8fbbd9", "#3f83b3", "#0b3a5c")


def expressions(period: Mapping[str, Estimate], words: Words, description: str) -> str:
    """Mean of each expression with its interval, and of the four negative ones together."""
    rows = [(words(f"expressions.{name}"), period[f"mean_{name}"]) for name in EXPRESSIONS]
    rows.append((words("measures.negative_short"), period["negative_mean"]))
    first_negative = next(place for place, name in enumerate(EXPRESSIONS) if name in NEGATIVE)
    with style("expressions"):
        figure = canvas(38.0, 102.0)
        axes = plot_area(figure, 25.0, 1.0, 1.0, 1.0)
        ends = [100.0 * (value.high or value.mean) for _, value in rows]
        scale = max(20.0, *ends)
        whiskers: list[Box] = []
        for place, (_, value) in enumerate(rows):
            total = place == len(rows) - 1
            at = place + (0.35 if total else 0.0)
            negative = place >= first_negative
            axes.barh(
                at,
                100.0 * value.mean,
                0.62,
                color=_NEGATIVE_SHADE if negative else PALE,
                edgecolor=INK if total else MUTED,
                linewidth=0.9 if total else 0.5,
            )
            whiskers += _whisker(at, value)
            label = f"{100.0 * value.mean:.1f}".replace(".", words("format.decimal")) + " %"
            axes.text(
                max(ends[place], 100.0 * value.mean) + 0.02 * scale,
                at,
                label + _bracket(value, words),
                va="center",
                fontsize=7.5,
                fontweight="bold" if total else "normal",
            )
        lines(axes, whiskers, edgecolor=INK, linewidth=1.2, zorder=2)
        places = [*range(len(rows) - 1), len(rows) - 0.65]
        axes.set_yticks(places, [name for name, _ in rows])
        axes.get_yticklabels()[-1].set_fontweight("bold")
        axes.axhline(len(rows) - 1.15, color=MUTED, linewidth=0.5)
        axes.set_ylim(len(rows) - 0.15, -0.55)
        axes.set_xlim(0, scale * 1.55)
        axes.set_xticks([])
        bare(axes, "bottom")
        axes.tick_params(left=False)
        return to_svg(figure, "expressions", words("expressions_chart.title"), description)


def _bracket(value: Estimate, words: Words) -> str:
    if value.low is None or value.high is None:
        return ""
    low, high = (words.number(100.0 * end) for end in (value.low, value.high))
    return f"  ({words.range(low, high)})"


def _whisker(at: float, value: Estimate) -> list[Box]:
    if value.low is None or value.high is None:
        return []
    low, high = 100.0 * value.low, 100.0 * value.high
    ends = [(end, at - 0.18, end, at + 0.18) for end in (low, high)]
    return [(low, at, high, at), *ends]


def against_usual(comparison: Comparison, words: Words, description: str) -> str:
    """The latest valid days against the usual range of a day."""
    changes = [comparison.of(name) for name in IN_PERCENT]
    with style("usual"):
        figure = canvas(38.0, 74.0)
        axes = plot_area(figure, 2.5, 6.5, 2.0, 6.5)
        ends = [30.0]
        for row, change in enumerate(changes):
            ends.append(_usual_row(axes, row, change, comparison, words))
        axes.set_xlim(0, 1.04 * max(ends))
        axes.set_ylim(len(changes) - 0.5, -0.72)
        axes.set_yticks([])
        axes.xaxis.set_major_formatter("{x:.0f} %")
        bare(axes, "left")
        handles = [
            Patch(facecolor=PALE, edgecolor=MUTED, linewidth=0.5),
            Line2D([], [], color=INK, marker="o", linestyle="", markersize=3.2, fillstyle="none"),
            Line2D([], [], color=ORANGE, marker="D", linestyle="", markersize=5, mec=INK, mew=0.6),
        ]
        key_above(
            axes,
            handles,
            words.listed("usual.legend"),
            handletextpad=0.4,
        )
        return to_svg(figure, "usual", words("usual.title"), description)


def _usual_row(axes: Axes, row: int, change: Change, comparison: Comparison, words: Words) -> float:
    """One figure; returns how far to the right it reaches."""
    axes.text(0.4, row - 0.38, words(f"measures.{change.figure}"), fontsize=7.5, fontweight="bold")
    reach = 0.0
    if change.usual is not None:
        low, high = 100.0 * change.usual.low, 100.0 * change.usual.high
        reach = high
        axes.add_patch(
            Rectangle(
                (low, row - 0.2), high - low, 0.4, facecolor=PALE, edgecolor=MUTED, linewidth=0.5
            )
        )
        middle = 100.0 * change.usual.mean
        axes.plot([middle, middle], [row - 0.2, row + 0.2], color=INK, linewidth=1.0)
    values = [100.0 * day.figures[change.figure] for day in comparison.after]
    axes.plot(values, [row] * len(values), "o", color=INK, markersize=3.2, fillstyle="none")
    if values:
        axes.plot(np.mean(values), row, "D", color=ORANGE, markersize=5, mec=INK, mew=0.6)
    else:
        axes.text(reach + 1.5, row, words("usual.no_days"), va="center", fontsize=7.0)
    return max([reach, *values])


def durations(
    bands: Mapping[str, Mapping[str, int]], clips: int, words: Words, description: str
) -> str:
    """For each expression, in how many clips it lasted how long."""
    names = list(next(iter(bands.values())))
    with style("bands"):
        figure = canvas(6.0 * len(EXPRESSIONS) + 9.0)
        axes = plot_area(figure, 25.0, 1.0, 2.0, 7.5)
        cells: dict[str, list[Box]] = {}
        shares: dict[str, list[Label]] = {}
        for row, expression in enumerate(EXPRESSIONS):
            left = 0.0
            for shade, name in zip(_BANDS, names, strict=False):
                share = 100.0 * bands[expression][name] / clips
                cells.setdefault(shade, []).append((left, row - 0.37, share, 0.74))
                if share >= 5.0:
                    color = "#ffffff" if shade in _BANDS[3:] else INK
                    label = (left + share / 2.0, float(row), f"{share:.0f} %")
                    shares.setdefault(color, []).append(label)
                left += share
        for shade, of_shade in cells.items():
            rectangles(axes, of_shade, facecolor=shade, edgecolor=MUTED, linewidth=0.5)
        for color, labels in shares.items():
            axes.add_artist(Labels(labels, 7.0, color))
        axes.set_yticks(
            range(len(EXPRESSIONS)), [words(f"expressions.{name}") for name in EXPRESSIONS]
        )
        axes.set_ylim(len(EXPRESSIONS) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xticks([])
        bare(axes, "bottom", "left")
        handles = [
            Patch(facecolor=shade, edgecolor=MUTED, linewidth=0.5) for shade in _BANDS[: len(names)]
        ]
        key_above(axes, handles, [words(f"bands.{name.replace(' ', '_')}") for name in names])
        return to_svg(figure, "bands", words("bands.title"), description)
