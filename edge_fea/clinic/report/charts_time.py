"""Charts over time: by hour of the day, and by day and week."""

from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from edge_fea.clinic.report.charts_coverage import Changes, day_ticks, mark_changes
from edge_fea.clinic.report.charts_readings import EXPRESSIONS
from edge_fea.clinic.report.drawing import (
    DARK_BLUE,
    INK,
    MUTED,
    ORANGE,
    RULE,
    Box,
    Label,
    Labels,
    bare,
    canvas,
    key_above,
    lines,
    plot_area,
    rectangles,
    rings,
    style,
)
from edge_fea.clinic.report.findings import INDICES, Findings, HourOfDay
from edge_fea.clinic.report.svg import to_svg
from edge_fea.clinic.report.words import Words

_HEAT: Final = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#86b4d4", "#0b4a75"])
# A row whose hours differ by less than this many points stays near its middle shade.
_LEAST_SPAN = 0.10
_POINT: Final[dict[str, Any]] = {"ms": 2.6, "mfc": "white", "mec": INK, "mew": 0.6}
_LATEST: Final[dict[str, Any]] = {"ms": 3.6, "mfc": ORANGE, "mec": INK, "mew": 0.5}


def by_hour(hours: Sequence[HourOfDay], words: Words, description: str) -> str:
    """Minutes seen in each hour of the day, and the readings below: a number in each cell."""
    rows = [f"mean_{name}" for name in EXPRESSIONS] + ["negative_mean"]
    names = [words(f"expressions.{name}") for name in EXPRESSIONS]
    names.append(words("measures.negative_short"))
    with style("hours"):
        figure = canvas(67.0)
        top = plot_area(figure, 25.0, 48.5, 1.0, 4.5)
        bars = [(h.hour - 0.43, 0.0, 0.86, 60.0 * h.seen) for h in hours]
        rectangles(top, bars, facecolor=DARK_BLUE, linewidth=0)
        top.set_ylim(0, 60)
        top.set_yticks([0, 30, 60])
        top.set_xlim(-0.5, 23.5)
        top.set_xticks([])
        top.grid(axis="y", color=RULE, linewidth=0.4)
        top.set_axisbelow(True)
        top.set_title(words("hours.minutes"), loc="left", fontsize=7.5, pad=2.5)
        axes = plot_area(figure, 25.0, 5.0, 1.0, 23.0)
        cells: dict[str, list[Box]] = {}
        numbers: dict[str, list[Label]] = {}
        dashes: list[Box] = []
        for row, figure_name in enumerate(rows):
            at = row + (0.25 if row == len(rows) - 1 else 0.0)
            _heat_row(at, hours, figure_name, cells, numbers, dashes)
        for shade, of_shade in cells.items():
            rectangles(axes, of_shade, facecolor=shade, edgecolor="white", linewidth=0.6)
        lines(axes, dashes, edgecolor=MUTED, linewidth=0.7, zorder=2)
        for color, of_color in numbers.items():
            axes.add_artist(Labels(of_color, 7.0, color))
        below = [(float(hour), len(rows) + 0.25, str(hour)) for hour in range(24)]
        axes.add_artist(Labels(below, 7.5))
        axes.set_xlim(-0.5, 23.5)
        axes.set_ylim(len(rows) - 0.2, -0.55)
        axes.set_yticks([*range(len(rows) - 1), len(rows) - 0.75], names)
        axes.get_yticklabels()[-1].set_fontweight("bold")
        axes.set_xticks([])
        axes.tick_params(left=False, pad=1.5)
        bare(axes, "left", "bottom")
        axes.set_title(words("hours.readings"), loc="left", fontsize=7.5, pad=2.5)
        return to_svg(figure, "hours", words("hours.title"), description)


def _heat_row(
    at: float,
    hours: Sequence[HourOfDay],
    name: str,
    cells: dict[str, list[Box]],
    numbers: dict[str, list[Label]],
    dashes: list[Box],
) -> None:
    """Sort a row's cells by their shade into ``cells``, its numbers by colour into ``numbers``.

    Hours without a number get ``dashes``: as lines, because in a PDF each text takes long.
    """
    values = [hour.figures[name] for hour in hours if hour.figures]
    middle = (min(values) + max(values)) / 2.0 if values else 0.0
    span = max(_LEAST_SPAN, max(values) - min(values)) if values else _LEAST_SPAN
    for hour in hours:
        cell = (hour.hour - 0.5, at - 0.45, 1.0, 0.9)
        if hour.figures is None:
            cells.setdefault("#f2f2f2", []).append(cell)
            dashes.append((hour.hour - 0.1, at, hour.hour + 0.1, at))
            continue
        value = hour.figures[name]
        shade = round(0.12 + 0.76 * (0.5 + (value - middle) / span), 1)
        cells.setdefault(to_hex(_HEAT(shade)), []).append(cell)
        color = "#ffffff" if shade > 0.65 else INK
        numbers.setdefault(color, []).append((hour.hour, at, f"{100.0 * value:.0f}"))


def over_time(findings: Findings, changes: Changes, words: Words, description: str) -> str:
    """The two indices by day, with their weekly means and the usual range of a day."""
    with style("trend"):
        figure = canvas(104.0)
        lower = plot_area(figure, 11.0, 6.0, 1.0, 60.0)
        upper = plot_area(figure, 11.0, 54.0, 1.0, 12.0)
        handles = [
            Line2D([], [], marker="o", linestyle="", **_POINT),
            Line2D([], [], marker="D", linestyle="", **_LATEST),
            Patch(facecolor="#cfe2ef", edgecolor=DARK_BLUE, linewidth=0.5),
            Patch(facecolor="#ececec", edgecolor=MUTED, linewidth=0.5, linestyle="--"),
        ]
        key_above(upper, handles, words.listed("trend.legend"), bbox_to_anchor=(0.0, 1.13))
        for axes, name in ((upper, INDICES[0]), (lower, INDICES[1])):
            _panel(axes, findings, changes, name, words)
        return to_svg(figure, "trend", words("trend.title"), description)


def _panel(axes: Axes, findings: Findings, changes: Changes, name: str, words: Words) -> None:
    days = findings.coverage.days
    place_of = {day.day: place for place, day in enumerate(days)}
    usual = findings.comparison.of(name).usual
    tops = [0.3]
    if usual is not None:
        low, high = 100.0 * usual.low, 100.0 * usual.high
        tops.append(usual.high)
        axes.axhspan(low, high, facecolor="#ececec", edgecolor="none", zorder=0)
        for end in (low, high):
            axes.axhline(end, color=MUTED, linewidth=0.5, linestyle=(0, (4, 2)), zorder=1)
        axes.axhline(100.0 * usual.mean, color=MUTED, linewidth=0.6, zorder=1)
    latest = {day.day for day in findings.comparison.after}
    tops += _weeks(axes, name, findings)
    for fresh in (False, True):
        points = [
            (place_of[day.day], 100.0 * day.figures[name])
            for day in findings.days
            if (day.day in latest) is fresh
        ]
        tops += [value / 100.0 for _, value in points]
        if not fresh:
            rings(axes, points, _POINT["ms"], zorder=4)
        elif points:
            places, values = zip(*points, strict=True)
            axes.plot(places, values, marker="D", linestyle="", zorder=4, **_LATEST)
    day_ticks(axes, days, words, room=13)
    mark_changes(axes, days, changes)
    axes.set_ylim(0, 100.0 * min(1.0, 1.08 * max(tops)))
    axes.set_ylabel("%")
    axes.grid(axis="y", color=RULE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_title(words(f"measures.{name}"), loc="left", fontsize=8.5, fontweight="bold", pad=4)


def _weeks(axes: Axes, name: str, findings: Findings) -> list[float]:
    """Weekly means as lines with their intervals as boxes, where days are enough; their tops."""
    boxes: list[Box] = []
    means: list[Box] = []
    for week in findings.weeks:
        value = week.figures.get(name)
        if value is None or value.low is None or value.high is None:
            continue
        first = (week.monday - findings.coverage.days[0].day).days
        begin, end = max(-0.5, first - 0.4), min(len(findings.coverage.days) - 0.5, first + 6.4)
        low, high = 100.0 * value.low, 100.0 * value.high
        boxes.append((begin, low, end - begin, high - low))
        means.append((begin, 100.0 * value.mean, end, 100.0 * value.mean))
    looks: dict[str, Any] = {"edgecolor": DARK_BLUE, "linewidth": 0.5, "alpha": 0.85}
    rectangles(axes, boxes, facecolor="#cfe2ef", zorder=2, **looks)
    lines(axes, means, edgecolor=DARK_BLUE, linewidth=1.8, zorder=3)
    return [(low + height) / 100.0 for _, low, _, height in boxes]
