"""The latest days against what was usual for the patient before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

import numpy as np

from edge_fea.capture.clock import parse_iso
from edge_fea.clinic.report.estimates import DayValues, values_of_days
from edge_fea.clinic.report.reading import Gathered, clips_between
from edge_fea.store.clips import ClipReader
from edge_fea.store.rows import Row
from edge_fea.summary.change import Shift, shift
from edge_fea.summary.intervals import t_point
from edge_fea.summary.periods import valid_days

COMPARED: Final = (
    "negative_mean",
    "expressivity_mean",
    "mean_happy",
    "motion_energy",
    "seen_h",
)
"""What is compared: the two indices, the one positive expression, the face's movement, and how
much was seen, which may itself be why something else changed."""

LATEST_DAYS: Final = 7
LEAST_DAYS: Final = 6
# The latest valid days are those of now only while they lie within so many days.
_RECENT = timedelta(days=14)
# How long after its first one a patient's baseline still speaks of the beginning.
_BEGINNING = timedelta(days=14)


class Verdict(StrEnum):
    """What a comparison says."""

    HIGHER = "higher"
    LOWER = "lower"
    SAME = "same"
    FEW = "few"


@dataclass(frozen=True, slots=True)
class UsualRange:
    """What is usual for a day: 19 of 20 further days would lie within, if nothing changed."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """One figure: the average of the latest valid days against that of the days before."""

    figure: str
    before: float | None
    after: float | None
    usual: UsualRange | None
    shift: Shift | None

    @property
    def verdict(self) -> Verdict:
        """What may be said of it."""
        if self.shift is None:
            return Verdict.FEW
        if not self.shift.clear:
            return Verdict.SAME
        return Verdict.HIGHER if self.shift.by > 0 else Verdict.LOWER


class Against(StrEnum):
    """What the latest days are compared with."""

    FROZEN = "frozen"
    """The baseline that the staff froze."""

    BASELINE = "baseline"
    """The baseline that held when the period began, or the fullest of the first ones in it."""

    BEFORE = "before"
    """The period's days before, where there is no baseline."""

    FIRST = "first"
    """The patient's first baseline, beside one of these."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The latest valid days, the days they are compared with, and what changed."""

    against: Against
    before: Sequence[DayValues]
    after: Sequence[DayValues]
    changes: Sequence[Change]

    def of(self, figure: str) -> Change:
        """The change of one figure."""
        return next(change for change in self.changes if change.figure == figure)


@dataclass(frozen=True, slots=True)
class Compared:
    """The latest valid days against what was usual when the period began, and at the very first."""

    usual: Comparison
    first: Comparison | None
    """Against the patient's first baseline; None where that is the usual one, or there is none."""

    first_gone: date | None
    """The first day of the first baseline, where too few of its days are left to compare with."""


def compare(
    reader: ClipReader,
    found: Gathered,
    days: Sequence[DayValues],
    start: datetime,
    end: datetime,
    least_dayparts: int,
) -> Compared:
    """Compare the last seven valid ``days`` with the patient's baseline, or the days before.

    And with the first baseline where that is of other days: the present one takes in whatever
    lasts, so that a report on the last week would never again show a change of a month ago.
    """
    recent = [day for day in days if end.date() - day.day <= _RECENT]
    after = recent[-LATEST_DAYS:]
    baselines = reader.baselines(found.patient, found.network, end)
    baseline = _chosen(baselines, start)
    against, before = Against.BEFORE, [day for day in days if day not in after]
    if baseline is not None:
        of_baseline = _days_of(reader, baseline, least_dayparts, {day.day for day in after})
        # Its clips may have been erased since, or be the latest days themselves.
        if len(of_baseline) >= min(LEAST_DAYS, len(before)):
            against = Against.FROZEN if baseline["frozen"] else Against.BASELINE
            before = of_baseline
    usual = _comparison(against, before, after)
    first = _first(baselines)
    if first is None or baseline is None or first["baseline_id"] == baseline["baseline_id"]:
        return Compared(usual, None, None)
    at_first = _days_of(reader, first, least_dayparts, {day.day for day in after})
    if len(at_first) < LEAST_DAYS:
        return Compared(usual, None, parse_iso(first["first_utc"]).astimezone(end.tzinfo).date())
    known = {day.day for day in before}
    # Mostly the same days would be the same comparison once more.
    if 2 * sum(day.day in known for day in at_first) > len(at_first):
        return Compared(usual, None, None)
    return Compared(usual, _comparison(Against.FIRST, at_first, after), None)


def _comparison(
    against: Against, before: Sequence[DayValues], after: Sequence[DayValues]
) -> Comparison:
    changes = [_change(figure, before, after) for figure in COMPARED]
    return Comparison(against, before, after, changes)


def _chosen(baselines: Sequence[Row], start: datetime) -> Row | None:
    """The frozen one, or the one that held at the start, or the fullest of the first ones.

    Baselines are made anew each day from the last days: the present one has long taken in what
    changed a month ago, so the report looks at what was usual when its period began.
    """
    frozen = [row for row in baselines if row["frozen"]]
    held = [row for row in baselines if parse_iso(row["made_utc"]) <= start]
    return (frozen or held)[-1] if frozen or held else _first(baselines)


def _first(baselines: Sequence[Row]) -> Row | None:
    """The frozen one, which the staff took for the patient's own, or the fullest of the first."""
    if not baselines:
        return None
    frozen = [row for row in baselines if row["frozen"]]
    if frozen:
        return frozen[-1]
    beginning = parse_iso(baselines[0]["made_utc"]) + _BEGINNING
    first = [row for row in baselines if parse_iso(row["made_utc"]) <= beginning]
    return max(first, key=lambda row: int(row["days"]))


def _days_of(
    reader: ClipReader, baseline: Row, least_dayparts: int, without: set[date]
) -> list[DayValues]:
    """The valid days that a baseline was made of, as far as their clips are still there."""
    first, last = (parse_iso(baseline[name]) for name in ("first_utc", "last_utc"))
    clips = clips_between(reader, baseline["patient"], baseline["model_sha256"], first, last)
    valid = valid_days((clip.local for clip in clips), least_dayparts)
    return [day for day in values_of_days(clips, valid) if day.day not in without]


def _change(figure: str, before: Sequence[DayValues], after: Sequence[DayValues]) -> Change:
    earlier, later = (
        [day.figures[figure] for day in days if figure in day.figures] for days in (before, after)
    )
    enough = min(len(earlier), len(later)) >= LEAST_DAYS
    return Change(
        figure=figure,
        before=float(np.mean(earlier)) if len(earlier) >= LEAST_DAYS else None,
        after=float(np.mean(later)) if later else None,
        usual=_usual_range(earlier) if len(earlier) >= LEAST_DAYS else None,
        shift=shift(earlier, later) if enough else None,
    )


def _usual_range(values: Sequence[float]) -> UsualRange:
    """Prediction interval of one further day (Hahn & Meeker 1991, section 4.6), from 0 upwards."""
    array = np.array(values, np.float64)
    n, mean = len(array), float(array.mean())
    reach = t_point(n - 1) * float(array.std(ddof=1)) * math.sqrt(1.0 + 1.0 / n)
    return UsualRange(mean, max(0.0, mean - reach), mean + reach)
