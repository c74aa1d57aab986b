"""How charts are drawn: style, sizes for A4, and what they have in common.

Colours are of Okabe & Ito (2008), which colour-blind readers tell apart; none carries a meaning
alone: shade, hatch, shape or a label beside it says the same in black and white.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.text import Text

INK: Final = "#1a1a1a"
MUTED: Final = "#555555"
RULE: Final = "#c8c8c8"
PALE: Final = "#dedede"
BLUE: Final = "#0072B2"
DARK_BLUE: Final = "#00527f"
ORANGE: Final = "#D55E00"

Box = tuple[float, float, float, float]
"""A rectangle: left, bottom, width, height."""

Label = tuple[float, float, str]
"""A short text and where its middle is."""

PAGE_MM: Final = 180.0
"""Width of an A4 page between its margins: text in a chart has its true size in print."""

# Room that a label of the vertical axis takes at the left edge.
_LABEL_MM: Final = 3.0

_STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    # Where it is said, matplotlib need not measure what could be in a title's way.
    "axes.titley": 1.0,
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
    across, up = width - left_mm - right_mm, height - bottom_mm - top_mm
    axes = figure.add_axes((left_mm / width, bottom_mm / height, across / width, up / height))
    # At the edge of the figure: else matplotlib measures all labels of ticks for each chart.
    axes.xaxis.set_label_coords(0.5, -bottom_mm / up)
    axes.yaxis.set_label_coords(-(left_mm - _LABEL_MM) / across, 0.5)
    return axes


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


def lines(axes: Axes, ends: Iterable[Box], **looks: Any) -> None:
    """Straight lines that look alike, each from x, y to x, y, as one path."""
    points = [(x, y) for x0, y0, x1, y1 in ends for x, y in ((x0, y0), (x1, y1))]
    if points:
        path = Path(np.array(points), [Path.MOVETO, Path.LINETO] * (len(points) // 2))
        axes.add_artist(PathPatch(path, fill=False, capstyle="butt", **looks))


def rings(axes: Axes, points: Iterable[tuple[float, float]], size: float, **looks: Any) -> None:
    """Small white circles with a dark rim, as two paths: in a PDF each mark of its own takes long.

    ``size`` is their diameter in points. A line without length and with round ends is a dot.
    """
    ends = [(x, y) for x, y in points for _ in range(2)]
    if ends:
        path = Path(np.array(ends), [Path.MOVETO, Path.LINETO] * (len(ends) // 2))
        # Else what has no length is left out.
        path.should_simplify = False
        for color, width in ((INK, size + 0.6), ("white", size - 0.6)):
            round_ends: Any = {"capstyle": "round", "edgecolor": color, "linewidth": width}
            axes.add_artist(PathPatch(path, fill=False, **round_ends, **looks))


class Labels(Artist):
    """Many short texts of one look, each about its middle.

    Hundreds of matplotlib's own texts, each of which is laid out for itself, take longer than all
    the rest of a chart.
    """

    def __init__(self, labels: Sequence[Label], size: float, color: str = INK) -> None:
        super().__init__()
        self.set_zorder(3)
        self._labels, self._color = labels, color
        self._font = FontProperties(family=_STYLE["font.sans-serif"], size=size)

    def draw(self, renderer: RendererBase) -> None:
        """Draw them all, in the coordinates of the axes that they were added to."""
        looks = renderer.new_gc()
        looks.set_foreground(self._color)
        height = renderer.get_canvas_width_height()[1]
        _, digit, below = renderer.get_text_width_height_descent("0", self._font, False)
        # Says that each is to stand about its middle in whatever font the page is shown.
        place = Text(horizontalalignment="center", transform=self.get_transform())
        for x, y, text in self._labels:
            place.set_position((x, y))
            right, up = self.get_transform().transform((x, y))
            down = height - up + (digit - below) / 2.0
            renderer.draw_text(looks, right, down, text, self._font, 0.0, False, place)
        looks.restore()


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
