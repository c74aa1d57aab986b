"""What every format of the exports has: a name, how it is written, how it is read back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_fea.clinic.outlet import Sink
from edge_fea.clinic.selection import Selection

__all__ = ["PLAIN", "Extras", "Format", "Sink", "TextSink"]


class TextSink(Protocol):
    """Where text goes that something else encodes."""

    def write(self, text: str, /) -> object:
        """Take all of ``text``."""
        ...


@dataclass(frozen=True, slots=True)
class Extras:
    """What only some formats can do."""

    series: bool = False
    """The second series too, where it was kept."""


PLAIN = Extras()
"""What every format can do."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format. Every export is one file, so that it can go through a pipe.

    ``write`` goes through the selection one clip at a time. ``count`` reads a file back and tells
    how many clips it holds; it raises whatever its reader raises for a damaged file.
    """

    name: str
    about: str
    suffix: str
    write: Callable[[Selection, Sink, Extras], None]
    count: Callable[[Path], int]
    text: bool = False
    """Whether it may be shown on a terminal."""

    series: bool = False
    """Whether it can carry the second series."""
