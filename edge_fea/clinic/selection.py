"""What is to leave the device: whose clips, of which period."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge_fea.store.clips import ClipFilter, ClipReader
from edge_fea.store.rows import Row


@dataclass(frozen=True)
class Selection:
    """Ended clips of a period, of one patient or of all. May be gone through more than once."""

    reader: ClipReader
    wanted: ClipFilter

    def __iter__(self) -> Iterator[Row]:
        """The clips by start, one at a time: a year of them is never in memory at once."""
        return self.reader.clips(self.wanted)

    def patients(self) -> list[str]:
        """The pseudonyms that have clips in the period."""
        return self.reader.patients(self.wanted)

    def count(self) -> int:
        """How many clips there are."""
        return self.reader.count(self.wanted)

    def of(self, patient: str) -> "Selection":
        """The same period, one patient only."""
        return Selection(self.reader, replace(self.wanted, patient=patient))
