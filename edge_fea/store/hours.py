"""Clips gathered within the database into hours of local time.

A year has a hundred thousand clips and less than nine thousand hours: what is asked of hours, days
or weeks is had from the hours several times faster than from the clips, and in little memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlite_utils

from edge_fea.store.moments import HAPPENED, HAPPENED_OFFSET


@dataclass(frozen=True, slots=True)
class ClipsOfHour:
    """Clips that began in one hour of local time and are alike in what the flags say."""

    start: datetime
    """The hour's begin, aware, in the patient's local time as it was when they were recorded."""

    synchronized: bool
    """False where their hour may be wrong: no clock was right, then or later."""

    sufficient: bool
    clips: int
    duration_s: float
    valid_seconds: int
    means: tuple[float | None, ...]
    """Of the figures that were asked for, weighted by valid seconds. They say nothing unless
    ``sufficient``: other clips may have no number."""


def hours_of(
    db: sqlite_utils.Database,
    figures: Sequence[str],
    condition: str,
    values: dict[str, object],
) -> Iterator[ClipsOfHour]:
    """The clips that meet a condition in SQL, by hour in no order; ``figures`` name columns."""
    weighted = ", ".join(f"sum(valid_seconds * {name}) / sum(valid_seconds)" for name in figures)
    found = db.execute(
        f"SELECT strftime('%Y-%m-%dT%H:00', {HAPPENED}, {HAPPENED_OFFSET}) "  # noqa: S608
        # With its offset: the same hour comes twice in autumn.
        f"|| {HAPPENED_OFFSET} AS hour, "
        "clock_synchronized IS NOT 0 OR corrected_start_utc IS NOT NULL AS synchronized, "
        "sufficient IS 1 AS enough, count(*), sum(duration_s), sum(valid_seconds), "
        f"{weighted} FROM clips WHERE {condition} GROUP BY hour, synchronized, enough",
        values,
    )
    for hour, synchronized, enough, clips, duration, valid, *means in found:
        start = datetime.fromisoformat(hour)
        yield ClipsOfHour(
            start, bool(synchronized), bool(enough), clips, duration, valid, tuple(means)
        )
