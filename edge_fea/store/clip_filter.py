"""Which clips are wanted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge_fea.capture.clock import iso
from edge_fea.store.moments import HAPPENED

_RECORDED_AFTER: Final = "clip_id IN (SELECT clip_id FROM clip_order WHERE place > :after)"


@dataclass(frozen=True, slots=True)
class ClipFilter:
    """Which clips; everything that is None is no condition."""

    start: datetime | None = None
    """Clips that started at or after this moment, by the best that is known of it."""

    end: datetime | None = None
    """Clips that started before this moment."""

    patient: str | None = None
    sufficient: bool | None = None
    running: bool = False
    """Whether the running clip counts too."""

    after: int | None = None
    """Clips that were recorded after the one at this place of ``clip_order``."""

    def where(self) -> tuple[str, dict[str, object]]:
        """The condition in SQL, and its values."""
        conditions: dict[str, tuple[str, object]] = {
            "start": (f"{HAPPENED} >= :start", iso(self.start) if self.start else None),
            "end": (f"{HAPPENED} < :end", iso(self.end) if self.end else None),
            "patient": ("patient = :patient", self.patient),
            "sufficient": ("sufficient = :sufficient", self.sufficient),
            "after": (_RECORDED_AFTER, self.after),
        }
        used = {name: each for name, each in conditions.items() if each[1] is not None}
        terms = [term for term, _ in used.values()]
        if not self.running:
            terms.append("ended_by IS NOT NULL")
        return " AND ".join(terms) or "1", {name: value for name, (_, value) in used.items()}
