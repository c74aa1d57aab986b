"""How much was seen, and why the rest was not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np

from edge_fea.clinic.report.reading import Gathered
from edge_fea.summary.periods import LocalClip, valid_days
from edge_fea.vision.observation import Outcome

_SECONDS_OF_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class SeenDay:
    """How much was seen on one local day."""

    day: date
    length_h: float
    """24, or 23 or 25 where clocks change."""

    recorded_h: float
    seen_h: float
    valid: bool
    """Whether it was seen in enough parts of the day."""

    uncertain: bool
    """Whether it holds clips of a clock that was not synchronized."""

    hours: Mapping[int, float]
    """Share seen of what was recorded, by local hour; hours without a clip are missing."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much was seen, and why the rest was not."""

    days: Sequence[SeenDay]
    """Every day of the period, seen or not."""

    period_s: float
    recorded_s: float
    seen_s: float
    unseen_s: Mapping[Outcome, float]
    """Seconds recorded but not seen, by why, the most first."""

    mean_seen_h: float | None
    """Average of the hours seen on valid days."""

    clips: int
    unsynchronized_clips: int
    unsynchronized_s: float
    undated_clips: int
    """Clips whose date cannot be believed, because the clock was never set; they are on no day."""

    undated_s: float

    @property
    def off_s(self) -> float:
        """Seconds of the period of which nothing was recorded."""
        return max(0.0, self.period_s - self.recorded_s)


def coverage_of(
    found: Gathered,
    clips: Sequence[LocalClip],
    least_dayparts: int,
    start: datetime,
    end: datetime,
    zone: tzinfo,
) -> Coverage:
    """How much of the period the clips have seen, whichever network read them."""
    valid = set(valid_days(clips, least_dayparts))
    recorded = sum(clip.duration_s for clip in clips)
    seen = min(recorded, float(sum(clip.valid_seconds for clip in clips)))
    missed = Counter({o: n for o, n in found.outcomes.items() if o is not Outcome.VALID and n})
    all_missed = max(1, missed.total())
    days = _seen_days(clips, valid, start, end, zone)
    seen_h = [day.seen_h for day in days if day.valid]
    return Coverage(
        days=days,
        period_s=max(recorded, _elapsed_s(start, end)),
        recorded_s=recorded,
        seen_s=seen,
        unseen_s={o: (recorded - seen) * n / all_missed for o, n in missed.most_common()},
        mean_seen_h=float(np.mean(seen_h)) if seen_h else None,
        clips=len(found.clips),
        unsynchronized_clips=sum(not clip.synchronized for clip in found.clips),
        unsynchronized_s=sum(clip.duration_s for clip in clips if not clip.synchronized),
        undated_clips=len(found.clips) - len(clips),
        undated_s=sum(clip.duration_s for clip in found.clips) - recorded,
    )


def _seen_days(
    clips: Sequence[LocalClip], valid: set[str], start: datetime, end: datetime, zone: tzinfo
) -> list[SeenDay]:
    gathered: dict[date, list[LocalClip]] = {}
    for clip in clips:
        gathered.setdefault(clip.start.date(), []).append(clip)
    # A period that ends at midnight does not hold the day that then begins.
    last = max((end - timedelta(microseconds=1)).date(), *gathered)
    first = min(start.date(), *gathered)
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        of_day = gathered.get(day, [])
        found.append(
            SeenDay(
                day=day,
                length_h=_length_h(day, zone),
                recorded_h=sum(clip.duration_s for clip in of_day) / _SECONDS_OF_HOUR,
                seen_h=sum(clip.valid_seconds for clip in of_day) / _SECONDS_OF_HOUR,
                valid=day.isoformat() in valid,
                uncertain=any(not clip.synchronized for clip in of_day),
                hours=_shares(of_day),
            )
        )
    return found


def _shares(clips: Sequence[LocalClip]) -> dict[int, float]:
    seen: dict[int, list[float]] = {}
    for clip in clips:
        hour = seen.setdefault(clip.start.hour, [0.0, 0.0])
        hour[0] += clip.valid_seconds
        hour[1] += clip.duration_s
    return {hour: min(1.0, valid / whole) for hour, (valid, whole) in seen.items() if whole > 0}


def _length_h(day: date, zone: tzinfo) -> float:
    begin, end = (
        datetime.combine(each, datetime.min.time(), zone) for each in (day, day + timedelta(days=1))
    )
    return _elapsed_s(begin, end) / _SECONDS_OF_HOUR


def _elapsed_s(begin: datetime, end: datetime) -> float:
    # In UTC: within one zone Python subtracts what the clocks show, changed or not.
    return (end.astimezone(UTC) - begin.astimezone(UTC)).total_seconds()
