"""Charts of how much was seen: by day, why not, and by day and hour."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from edge_fea.clinic.report.coverage import Coverage, SeenDay
from edge_fea.clinic.report.drawing import (
    DARK_BLUE,
    INK,
    MUTED,
    PALE,
    RULE,
    Box,
    bare,
    canvas,
    key_above,
    lines,
    plot_area,
    rectangles,
    style,
)
from edge_fea.clinic.report.svg import to_svg
from edge_fea.clinic.report.words import Words

Changes = Mapping[date, str]
"""What changed on which day, in words."""

# Shades of the share seen in an hour, by upper end; light to dark, even in grey. Where nothing was
# recorded a cell is blank, and the first shade is that of "on, face not read" in the chart of days.
_SHADES: Final = (
    (0.02, PALE),
    (0.25, "#a9cbe2"),
    (0.50, "#6fa3c9"),
    (0.75, "#3678a8"),
    (1.01, "#0b4a75"),
)
# Reasons of less than this share of what was not seen go together.
_LEAST_REASON = 0.015


def seen_by_day(coverage: Coverage, changes: Changes, words: Words, description: str) -> str:
    """Hours seen and recorded on each day."""
    days = coverage.days
    with style("days"):
        figure = canvas(33.0, 108.0)
        axes = plot_area(figure, 10.0, 5.5, 1.0, 6.5)
        width = 0.8 if len(days) <= 200 else 1.0
        recorded: list[Box] = []
        valid: list[Box] = []
        little: list[Box] = []
        for place, day in enumerate(days):
            left = place - width / 2.0
            recorded.append((left, 0.0, width, day.recorded_h))
            (valid if day.valid else little).append((left, 0.0, width, day.seen_h))
        recorded_looks: dict[str, Any] = {"facecolor": PALE, "linewidth": 0}
        valid_looks: dict[str, Any] = {"facecolor": DARK_BLUE, "linewidth": 0}
        little_looks: dict[str, Any] = {**recorded_looks, "facecolor": "white", "hatch": "////"}
        little_looks |= {"edgecolor": INK, "linewidth": 0.5}
        rectangles(axes, recorded, **recorded_looks)
        rectangles(axes, valid, **valid_looks)
        rectangles(axes, little, **little_looks)
        axes.set_ylim(0, 25)
        axes.set_yticks([0, 6, 12, 18, 24])
        axes.set_ylabel(words("days.axis"))
        axes.grid(axis="y", color=RULE, linewidth=0.4)
        axes.set_axisbelow(True)
        day_ticks(axes, days, words, room=7)
        mark_changes(axes, days, changes)
        key_above(
            axes,
            [Patch(**looks) for looks in (valid_looks, little_looks, recorded_looks)],
            [words("days.seen"), words("days.seen_little"), words("days.recorded")],
        )
        return to_svg(figure, "days", words("days.title"), description)


def day_ticks(axes: Axes, days: Sequence[SeenDay], words: Words, room: int) -> None:
    """At most ``room`` dates below: single days, then Mondays, then firsts of the month."""
    count = len(days)
    # A date with its year takes half as much room again.
    room = room * 2 // 3 if words.years else room
    if count <= 14:
        shown = list(range(0, count, math.ceil(count / room)))
    elif count <= 200:
        mondays = [place for place, day in enumerate(days) if day.day.weekday() == 0]
        shown = mondays[:: max(1, math.ceil(len(mondays) / room))]
    else:
        firsts = [place for place, day in enumerate(days) if day.day.day == 1]
        shown = firsts[:: max(1, math.ceil(len(firsts) / room))]
    axes.set_xlim(-0.7, count - 0.3)
    axes.set_xticks(shown, [words.short_day(days[place].day) for place in shown])


def mark_changes(axes: Axes, days: Sequence[SeenDay], changes: Changes) -> None:
    """A line with its words where the network, the software or the device changed."""
    for day, text in changes.items():
        place = (day - days[0].day).days - 0.5
        axes.axvline(place, color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)))
        axes.annotate(
            text,
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, -2),
            textcoords="offset points",
            va="top",
            fontsize=7.0,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )


def reasons(coverage: Coverage, words: Words, description: str) -> str:
    """The whole period: seen, and for the rest why not."""
    rows = reason_rows(coverage, words)
    with style("reasons"):
        figure = canvas(33.0, 70.0)
        axes = plot_area(figure, 33.0, 0.5, 23.5, 0.5)
        for place, (name, hours, share) in enumerate(rows):
            first, last = place == 0, name == words("reasons.off")
            axes.barh(
                place,
                100.0 * share,
                0.62,
                color=DARK_BLUE if first else "white" if last else "#a6a6a6",
                edgecolor=DARK_BLUE if first else MUTED,
                linewidth=0.5,
            )
            # To the hour where there are many: the bar needs the room.
            shown = words.hours(round(hours) if hours >= 10.0 else hours)
            text = words("reasons.value", hours=shown, share=words.percent(share, 0))
            axes.annotate(
                text,
                (100.0 * share, place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                annotation_clip=False,
            )
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.get_yticklabels()[0].set_fontweight("bold")
        axes.set_ylim(max(8.5, len(rows)) - 0.4, -0.6)
        axes.set_xlim(0, max(30.0, 100.0 * max(share for _, _, share in rows)))
        axes.set_xticks([])
        bare(axes, "bottom", "left")
        return to_svg(figure, "reasons", words("reasons.title"), description)


def reason_rows(coverage: Coverage, words: Words) -> list[tuple[str, float, float]]:
    """Name, hours and share of the period: seen first, then why not, then nothing recorded."""
    whole = max(1.0, coverage.period_s)
    found = [(words("reasons.seen"), coverage.seen_s)]
    rest = 0.0
    unseen = max(1.0, sum(coverage.unseen_s.values()))
    for outcome, seconds in coverage.unseen_s.items():
        if seconds < _LEAST_REASON * unseen:
            rest += seconds
        else:
            found.append((words(f"outcomes.{outcome}"), seconds))
    if rest > 0:
        found.append((words("reasons.rest"), rest))
    if coverage.off_s > 0.001 * whole:
        found.append((words("reasons.off"), coverage.off_s))
    return [(name, seconds / 3600.0, seconds / whole) for name, seconds in found]


def seen_by_hour_of_day(coverage: Coverage, words: Words, description: str) -> str:
    """Every day a row, every hour a cell: how much of the hour was seen."""
    days = coverage.days
    row_mm = min(4.0, max(0.35, 118.0 / len(days)))
    with style("map"):
        figure = canvas(row_mm * len(days) + 14.0)
        axes = plot_area(figure, 18.0, 5.5, 5.0, 8.5)
        _cells(axes, days)
        axes.set_ylim(len(days), 0)
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 3), [f"{hour}:00" for hour in range(0, 25, 3)])
        thirds = [(hour, 0.0, hour, float(len(days))) for hour in range(3, 24, 3)]
        lines(axes, thirds, edgecolor=MUTED, linewidth=0.25)
        _row_ticks(axes, days, words)
        for spine in axes.spines.values():
            spine.set_visible(True)
        handles = [
            Rectangle((0, 0), 1, 1, facecolor=shade, edgecolor=MUTED, linewidth=0.4)
            for _, shade in _SHADES
        ]
        key_above(axes, handles, words.listed("map.shades"))
        return to_svg(figure, "map", words("map.title"), description)


def _cells(axes: Axes, days: Sequence[SeenDay]) -> None:
    """One path a shade: neighbours of a shade are one rectangle, which keeps the file small."""
    runs: dict[str, list[Box]] = {}
    for row, day in enumerate(days):
        begin, shade = 0, ""
        for hour in range(25):
            share = day.hours.get(hour) if hour < 24 else None
            here = "" if share is None else _shade(share)
            if here != shade:
                if shade:
                    runs.setdefault(shade, []).append((begin, row, hour - begin, 1.0))
                begin, shade = hour, here
    for shade, cells in runs.items():
        rectangles(axes, cells, facecolor=shade, edgecolor=shade, linewidth=0.15)


def _shade(share: float) -> str:
    return next(shade for end, shade in _SHADES if share < end)


def _row_ticks(axes: Axes, days: Sequence[SeenDay], words: Words) -> None:
    if len(days) <= 14:
        shown = list(range(len(days)))
    else:
        mondays = [place for place, day in enumerate(days) if day.day.weekday() == 0]
        shown = mondays[:: max(1, round(len(mondays) / 20))]
    axes.set_yticks(
        [place + 0.5 for place in shown], [words.short_day(days[place].day) for place in shown]
    )


def clock_changes(coverage: Coverage) -> list[SeenDay]:
    """The recorded days on which clocks are put forward or back."""
    return [
        day
        for day in coverage.days
        if day.recorded_h > 0 and timedelta(hours=day.length_h) != timedelta(days=1)
    ]
