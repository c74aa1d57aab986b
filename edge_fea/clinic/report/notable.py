"""The clips that stand out most, each with the reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from edge_fea.clinic.report.reading import Candidate
from edge_fea.store.clips import ClipReader
from edge_fea.store.moments import happened
from edge_fea.store.rows import Row


class Reason(StrEnum):
    """Why a clip stands out."""

    NEGATIVE = "negative"
    STILL = "still"
    LIVELY = "lively"


# How many clips of each kind are shown.
_SHOWN: Final = {Reason.NEGATIVE: 4, Reason.STILL: 2, Reason.LIVELY: 2}


@dataclass(frozen=True, slots=True)
class NotableClip:
    """One clip that stands out."""

    reasons: Sequence[Reason]
    start: datetime
    row: Row
    compared: bool
    """Whether it was chosen by its distance from the baseline of its time."""

    baseline: Row | None
    """That baseline; None where there was none, or it is gone."""


def notable_clips(reader: ClipReader, candidates: Sequence[Candidate]) -> list[NotableClip]:
    """The clips furthest from the patient's baseline, or the extreme ones where there is none.

    By start. Some clips are always the most extreme ones; being here means no more than that.
    """
    compared = [each for each in candidates if each.compared]
    pool = compared or list(candidates)
    chosen: dict[str, list[Reason]] = {}
    for reason, how_many in _SHOWN.items():
        for candidate in _furthest(pool, _ORDER[reason], how_many):
            chosen.setdefault(candidate.clip_id, []).append(reason)
    found = []
    for clip_id, reasons in chosen.items():
        row = reader.clip(clip_id)
        baseline = reader.baseline(row["baseline_id"]) if compared else None
        found.append(NotableClip(reasons, happened(row), row, bool(compared), baseline))
    return sorted(found, key=lambda clip: clip.start)


_ORDER: Final[dict[Reason, Callable[[Candidate], float]]] = {
    Reason.NEGATIVE: lambda clip: clip.negative,
    Reason.STILL: lambda clip: -clip.expressivity,
    Reason.LIVELY: lambda clip: clip.expressivity,
}


def _furthest(
    candidates: Sequence[Candidate], by: Callable[[Candidate], float], how_many: int
) -> list[Candidate]:
    days: set[date] = set()
    found: list[Candidate] = []
    for clip in sorted(candidates, key=by, reverse=True):
        # Of one day one clip of a kind is enough: an hour of crying would fill the list.
        if clip.start.date() not in days:
            days.add(clip.start.date())
            found.append(clip)
        if len(found) == how_many:
            break
    return found
