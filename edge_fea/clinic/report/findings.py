"""The numbers of a report: what was seen, what the readings were, when, and what changed.

Everything is over *valid days*: days with sufficient clips in enough parts of the day
(``summary.periods.valid_days``). A figure over days that are too few is None, never a guess.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfoNotFoundError

import numpy as np

from edge_fea.capture.clock import parse_iso, zone_named
from edge_fea.clinic.report.compare import Compared, Comparison, compare
from edge_fea.clinic.report.coverage import Coverage, coverage_of
from edge_fea.clinic.report.estimates import DayValues, Estimate, estimate, values_of_days
from edge_fea.clinic.report.notable import NotableClip, notable_clips
from edge_fea.clinic.report.reading import Gathered, Use, gather
from edge_fea.clinic.selection import Selection
from edge_fea.emotions import LABELS
from edge_fea.store.clips import ClipFilter
from edge_fea.store.moments import HAPPENED
from edge_fea.summary.indices import DURATION_BANDS
from edge_fea.summary.periods import (
    FIGURES,
    Contrast,
    LocalClip,
    Trend,
    late_minus_midday,
    periods,
    valid_days,
    weekly_trend,
)

INDICES: Final = ("negative_mean", "expressivity_mean")
# An hour of the day needs sufficient clips of so many days, a week so many valid days.
LEAST_DAYS: Final = 3
# What a clock that was never set says is not believed when it is further off than this.
_BELIEVED = timedelta(days=400)
_SECONDS_OF_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class HourOfDay:
    """One hour of the day over the whole period; clocks that were not synchronized left out."""

    hour: int
    recorded_s: float
    seen: float
    """Share seen of what was recorded, 0 to 1."""

    days: int
    """Days that have sufficient clips in this hour."""

    figures: Mapping[str, float] | None
    """None where the days are too few."""


@dataclass(frozen=True, slots=True)
class Week:
    """One ISO week."""

    monday: date
    days: int
    """Valid days in it."""

    recorded_h: float
    seen_h: float
    figures: Mapping[str, Estimate]
    """Over the valid days; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a report says."""

    patient: str
    zone: str
    network: str
    start: datetime
    end: datetime
    nothing_before: date | None
    """The day of the first clip ever, where the report was asked to begin before it."""

    coverage: Coverage
    period: Mapping[str, Estimate]
    """Means over the valid days; empty where there is none."""

    days: Sequence[DayValues]
    """The valid days."""

    hours: Sequence[HourOfDay]
    weeks: Sequence[Week]
    trends: Mapping[str, Trend | None]
    contrast: Contrast | None
    compared: Compared
    bands: Mapping[str, Mapping[str, int]]
    """For each label, how many sufficient clips had how long of it; bands that occur."""

    notable: Sequence[NotableClip]
    networks: Sequence[Use]
    versions: Sequence[Use]
    devices: Sequence[Use]
    sources: Collection[str]

    clip_minutes: float
    """Median length of a clip."""

    @property
    def comparison(self) -> Comparison:
        """The latest days against the usual ones."""
        return self.compared.usual

    @property
    def comparisons(self) -> list[Comparison]:
        """The same, and against the first baseline where that is another."""
        first = self.compared.first
        return [self.compared.usual] if first is None else [self.compared.usual, first]

    @property
    def dates(self) -> list[date]:
        """Every day of the period and every day that it is compared with."""
        before = [day.day for comparison in self.comparisons for day in comparison.before]
        return [day.day for day in self.coverage.days] + before

    @property
    def scored_clips(self) -> int:
        """Sufficient clips of the latest network."""
        return sum(self.bands[LABELS[0]].values())


def findings(selection: Selection, *, made: datetime, least_dayparts: int = 3) -> Findings:
    """What the selected clips of one patient say at the moment ``made``.

    Raises NotFoundError without a clip, UnclearError with more than one patient.
    """
    found = gather(selection)
    dated = _believed(found.clips, made)
    kept = set(map(id, dated))
    current = [clip for clip in found.current if id(clip.local) in kept]
    valid = valid_days((clip.local for clip in current), least_dayparts)
    days = values_of_days(current, valid)
    zone = _zone(found)
    start, end = _bounds(selection, dated, made, zone)
    asked = selection.wanted.start
    if (
        asked is not None
        and asked < dated[0].start
        and not _recorded_before(asked, found, selection)
    ):
        # A device that did not exist was not off.
        start = dated[0].start.astimezone(zone)
    before_all = asked is not None and asked.astimezone(zone).date() < start.date()
    return Findings(
        patient=found.patient,
        zone=found.zone,
        network=found.network,
        start=start,
        end=end,
        nothing_before=start.date() if before_all else None,
        coverage=coverage_of(found, dated, least_dayparts, start, end, zone),
        period={name: estimate(day.figures[name] for day in days) for name in FIGURES}
        if days
        else {},
        days=days,
        hours=_hours(dated, [clip.local for clip in current]),
        weeks=_weeks(dated, days),
        trends={name: weekly_trend(valid, name) for name in INDICES},
        contrast=late_minus_midday(_synchronized(valid)),
        compared=compare(selection.reader, found, days, start, end, least_dayparts),
        bands=_bands(found),
        notable=notable_clips(selection.reader, found.candidates),
        networks=found.networks,
        versions=found.versions,
        devices=found.devices,
        sources=found.sources,
        clip_minutes=float(np.median([clip.duration_s for clip in dated])) / 60.0,
    )


def _believed(clips: Sequence[LocalClip], made: datetime) -> list[LocalClip]:
    """All clips but those whose clock was never set and says something beyond belief."""
    first = next((clip.start for clip in clips if clip.synchronized), None)
    earliest = first - _BELIEVED if first else made - 10 * _BELIEVED
    latest = made + timedelta(days=1)
    believed = [clip for clip in clips if clip.synchronized or earliest < clip.start < latest]
    return believed or list(clips)


def _recorded_before(moment: datetime, found: Gathered, selection: Selection) -> bool:
    """Whether the patient has clips from before that are on the days that they say."""
    names = (HAPPENED, "clock_synchronized", "corrected_start_utc")
    earliest = moment - _BELIEVED
    return any(
        synchronized or corrected is not None or parse_iso(start) > earliest
        for start, synchronized, corrected in selection.reader.columns_of(
            names, ClipFilter(end=moment, patient=found.patient)
        )
    )


def _zone(found: Gathered) -> tzinfo:
    """The zone of the latest clip, or its offset where this machine does not know the zone."""
    try:
        return zone_named(found.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return found.clips[-1].start.tzinfo or UTC


def _bounds(
    selection: Selection, clips: Sequence[LocalClip], made: datetime, zone: tzinfo
) -> tuple[datetime, datetime]:
    """The period: what was asked for, or from the first clip to the last; never the future."""
    wanted = selection.wanted
    last = clips[-1].start + timedelta(seconds=clips[-1].duration_s)
    start = wanted.start or clips[0].start
    end = min(wanted.end, max(made, last)) if wanted.end else last
    return start.astimezone(zone), end.astimezone(zone)


def _hours(clips: Iterable[LocalClip], current: Sequence[LocalClip]) -> list[HourOfDay]:
    seen = {period.name: period for period in periods((c for c in clips if c.synchronized), "hour")}
    scored = [clip for clip in current if clip.synchronized and clip.sufficient]
    figures = {period.name: period.figures for period in periods(scored, "hour")}
    days: dict[str, set[date]] = {}
    for clip in scored:
        days.setdefault(f"{clip.start.hour:02}:00", set()).add(clip.start.date())
    found = []
    for hour in range(24):
        name = f"{hour:02}:00"
        count = len(days.get(name, ()))
        means = figures.get(name, {}) if count >= LEAST_DAYS else {}
        found.append(
            HourOfDay(
                hour=hour,
                recorded_s=seen[name].recorded_s if name in seen else 0.0,
                seen=seen[name].coverage if name in seen else 0.0,
                days=count,
                figures={k: v for k, v in means.items() if v is not None} or None,
            )
        )
    return found


def _weeks(clips: Iterable[LocalClip], days: Sequence[DayValues]) -> list[Week]:
    found = []
    for period in periods(clips, "week"):
        monday = date.fromisoformat(f"{period.name}-1")
        of_week = [day for day in days if 0 <= (day.day - monday).days < 7]
        figures = {
            name: estimate((day.figures[name] for day in of_week), LEAST_DAYS)
            for name in FIGURES
            if of_week
        }
        found.append(
            Week(
                monday=monday,
                days=len(of_week),
                recorded_h=period.recorded_s / _SECONDS_OF_HOUR,
                seen_h=period.valid_seconds / _SECONDS_OF_HOUR,
                figures=figures,
            )
        )
    return found


def _synchronized(valid: Mapping[str, Sequence[LocalClip]]) -> dict[str, list[LocalClip]]:
    kept = {day: [clip for clip in clips if clip.synchronized] for day, clips in valid.items()}
    return {day: clips for day, clips in kept.items() if clips}


def _bands(found: Gathered) -> dict[str, dict[str, int]]:
    names = [*(name for name, _ in DURATION_BANDS), "over 5 min"]
    occurring = [name for name in names if any(found.bands[label][name] for label in LABELS)]
    return {label: {name: found.bands[label][name] for name in occurring} for label in LABELS}
