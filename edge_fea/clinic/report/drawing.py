"""How charts are drawn: style, sizes for A4, and what they have in common.

Colours are of Okabe & Ito (2008), which colour-blind readers tell apart; none carries a meaning
alone: shade, hatch, shape or a label beside it says the same in black and white.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

INK: Final = "#1a1a1a"
MUTED: Final = "#555555"
RULE: Final = "#c8c8c8"
PALE: Final = "#dedede"
BLUE: Final = "#0072B2"
DARK_BLUE: Final = "#00527f"
ORANGE: Final = "#D55E00"

Box = tuple[float, float, float, float]
"""A rectangle: left, bottom, width, height."""

PAGE_MM: Final = 180.0
"""Width of an A4 page between its margins: text in a chart has its true size in print."""

_STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    # The one font that matplotlib brings, to measure with; a little wider than what is shown.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "hatch.linewidth": 0.5,
    "text.color": INK,
    # Text that readers can search and that screens and printers set in their own sharp fonts.
    "svg.fonttype": "none",
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 7.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


@contextmanager
def style(name: str) -> Iterator[None]:
    """Everything drawn within looks alike, and is the same from one time to the next."""
    settings: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(settings):
        yield


def canvas(height_mm: float, width_mm: float = PAGE_MM) -> Figure:
    """A figure of so many millimetres in print."""
    return Figure(figsize=(width_mm / 25.4, height_mm / 25.4))


def plot_area(
    figure: Figure, left_mm: float, bottom_mm: float, right_mm: float, top_mm: float
) -> Axes:
    """Axes with margins in millimetres."""
    width, height = (25.4 * side for side in figure.get_size_inches())
    return figure.add_axes(
        (
            left_mm / width,
            bottom_mm / height,
            (width - left_mm - right_mm) / width,
            (height - bottom_mm - top_mm) / height,
        )
    )


def bare(axes: Axes, *sides: str) -> None:
    """Take away the lines at these sides, and their ticks."""
    for side in sides:
        axes.spines[side].set_visible(False)
    if "left" in sides:
        axes.tick_params(left=False)
    if "bottom" in sides:
        axes.tick_params(bottom=False)


def rectangles(axes: Axes, boxes: Iterable[Box], **looks: Any) -> None:
    """Rectangles that look alike, as one path: a small file."""
    corners = [
        corner
        for x, y, w, h in boxes
        for corner in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y))
    ]
    if corners:
        one = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
        path = Path(np.array(corners), np.tile(one, len(corners) // len(one)))
        # Not add_patch, which measures each corner: every chart sets its own limits.
        axes.add_artist(PathPatch(path, **looks))


def key_above(axes: Axes, handles: Sequence[Any], labels: Sequence[str], **more: Any) -> None:
    """What the shades and marks mean, in one line above the chart."""
    looks: dict[str, Any] = {
        "bbox_to_anchor": (0.0, 1.0),
        "borderaxespad": 0.5,
        "borderpad": 0.0,
        "columnspacing": 1.5,
        "frameon": False,
        "handlelength": 1.5,
        "loc": "lower left",
        "ncols": len(labels),
    }
    axes.legend(handles, labels, **(looks | more))
