"""From a figure to SVG within the page: with a text alternative, and small."""

import io
import re
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from matplotlib.figure import Figure

FONTS: Final = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"

_SVG: Final = "http://www.w3.org/2000/svg"
_LINK: Final = "http://www.w3.org/1999/xlink"
_TEXT: Final = {f"{{{_SVG}}}{tag}" for tag in ("text", "tspan")}
_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")
# A rectangle as matplotlib writes it, four corners, each with both its coordinates.
_RECTANGLE: Final = re.compile(r"M (\S+) (\S+) L (\S+) \2 L \3 (\S+) L \1 \4 (?:L \1 \2 )?z")
_UPRIGHT: Final = "rotate(-0 "
_REFERENCE: Final = re.compile(r"(?<=url\(#)[^)]+|(?<=^#).+")


def to_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as one element for a page, with a text alternative.

    ``name`` sets its ids apart from those of the page's other charts.
    """
    out = io.BytesIO()
    # Neither date nor version: the same clips give the same page.
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(out, format="svg", metadata=nothing, transparent=True)
    root = ElementTree.fromstring(out.getvalue())  # noqa: S314  # our own, a line above
    _without_document_wide_style(root)
    for node in root.iter():
        _style_as_attributes(node)
        _shorten(node)
    _rename(root, name)
    _flatten(root)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    root.set("font-family", FONTS)
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        node = Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        node.text = text
        root.insert(place, node)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    return ElementTree.tostring(root, encoding="unicode")


def _without_document_wide_style(root: Element) -> None:
    """Say on the root what matplotlib's style element would say to the whole page."""
    for parent in root.iter(f"{{{_SVG}}}defs"):
        for node in parent.findall(f"{{{_SVG}}}style"):
            parent.remove(node)
    root.set("stroke-linejoin", "round")
    root.set("stroke-linecap", "butt")


def _style_as_attributes(node: Element) -> None:
    """Attributes need no CSS parser: a PDF is made in half the time."""
    for declaration in node.attrib.pop("style", "").split(";"):
        key, _, value = declaration.partition(":")
        # The font is said once, on the root.
        if value and key.strip() != "font-family":
            node.set(key.strip(), value.strip())


def _shorten(node: Element) -> None:
    """Say the same in fewer numbers: each is parsed again for a PDF."""
    if node.get("transform", "").startswith(_UPRIGHT):
        del node.attrib["transform"]
    for key, value in node.attrib.items():
        # A hundredth of a point is 4 micrometres.
        if key != "transform":
            node.set(key, _NUMBER.sub(lambda found: f"{float(found[0]):.2f}", value))
    if "d" in node.attrib:
        path = " ".join(node.attrib["d"].split())
        node.set("d", _RECTANGLE.sub(r"M\1 \2H\3V\4H\1z", path))


def _rename(root: Element, name: str) -> None:
    """Begin each id with ``name``, and drop those that nothing refers to."""
    used = set()
    for node in root.iter():
        for key, value in node.attrib.items():
            if key.endswith("href") or "url(#" in value:
                used |= set(_REFERENCE.findall(value))
                node.set(key, _REFERENCE.sub(lambda found: f"{name}-{found[0]}", value))
    for node in root.iter():
        own = node.attrib.pop("id", None)
        if own in used:
            node.set("id", f"{name}-{own}")


def _flatten(parent: Element) -> None:
    """Take away groups that say nothing, and the space between elements."""
    children: list[Element] = []
    for child in parent:
        _flatten(child)
        child.tail = None
        if child.tag == f"{{{_SVG}}}g" and not child.attrib:
            children += child
        else:
            children.append(child)
    parent[:] = children
    if parent.tag not in _TEXT:
        parent.text = None
