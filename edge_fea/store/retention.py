"""Retention: clips that are older than the policy allows are removed, securely and once a day.

Deleted rows are overwritten with zeros (``secure_delete``), so no VACUUM is needed, which would
write the whole database to the card again.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import sqlite_utils

from edge_fea.capture.clock import Clock, iso
from edge_fea.config.settings import UNASSIGNED
from edge_fea.store.database import empty_journal, writing
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.moments import HAPPENED
from edge_fea.store.order import FORGET

# A clock that nothing has set is believed once the device has recorded for so long by it.
_PROBATION_DAYS = 7
_DOUBTFUL = "clock_synchronized = 0 AND corrected_start_utc IS NULL"


@dataclass(frozen=True, slots=True)
class Limit:
    """What is too old, by which clock."""

    before: datetime
    now: datetime
    days: int
    synchronized: bool

    @classmethod
    def of(cls, days: int, clock: Clock) -> Self:
        """The limit of ``store.retention_days`` now."""
        # In this order: what is read after a yes is right.
        synchronized, now = clock.synchronized(), clock.now()
        return cls(now - timedelta(days=days), now, days, synchronized)


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows went; for stays, how many lost their pseudonym."""

    clips: int = 0
    seconds: int = 0
    baselines: int = 0
    resets: int = 0
    stays: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name)} {field.name}" for field in fields(self))


class Retention:
    """Counts and removes what is older than a limit.

    Where the clock is right, a clip whose own clock was not waits until one recorded after it is
    too old: it may have been recorded yesterday, whatever its start says.
    """

    def __init__(self, db: sqlite_utils.Database, path: Path) -> None:
        self._db = db
        self._path = path

    def believes(self, limit: Limit) -> bool:
        """Whether the clock may be trusted to say what is old: a wrong one would erase all."""
        if limit.synchronized:
            return True
        middle = limit.now - timedelta(days=min(_PROBATION_DAYS, limit.days))
        with translated(self._path):
            return bool(
                self._db.execute(
                    f"SELECT EXISTS (SELECT 1 FROM clips WHERE {HAPPENED} BETWEEN ? AND ?)",  # noqa: S608
                    [iso(middle - timedelta(days=1)), iso(middle + timedelta(days=1))],
                ).fetchone()[0]
            )

    def due(self, limit: Limit) -> int:
        """How many rows there are to remove, or to take the pseudonym from."""
        old, values = _old(limit), _values(limit)
        with translated(self._path):
            return sum(
                int(self._db.execute(f"SELECT count(*) FROM {rows}", values).fetchone()[0])  # noqa: S608
                for rows in (f"clips WHERE {old}", f"stays WHERE {_LEFT}")
            )

    def apply(self, limit: Limit, *, wait: bool) -> Removed:
        """Remove what is too old, and empty the journal of it.

        Without ``wait`` a journal that another process is reading is left for the next time. Raises
        StoreBusy, StoreFull or StoreError; then nothing was removed.
        """
        old, values = _old(limit), _values(limit)
        with translated(self._path):
            with writing(self._db):
                removed = Removed(
                    seconds=self._run(
                        "DELETE FROM seconds "  # noqa: S608
                        f"WHERE clip_id IN (SELECT clip_id FROM clips WHERE {old})",
                        values,
                    ),
                    clips=self._run(f"DELETE FROM clips WHERE {old}", values),  # noqa: S608
                    baselines=self._run(_BASELINES, values),
                    resets=self._run(_RESETS, values),
                    stays=self._run(_STAYS, {**values, "nobody": UNASSIGNED}),
                )
                if removed.clips:
                    self._run(FORGET, {})
            if removed:
                empty_journal(self._db, wait=wait)
        return removed

    def _run(self, sql: str, values: dict[str, str]) -> int:
        return self._db.conn.execute(sql, values).rowcount


# Frozen ones hold until they are reset, as long as there is anybody whose clips they are for.
_BASELINES = """
    DELETE FROM baselines WHERE last_utc < :before
    AND baseline_id NOT IN (SELECT baseline_id FROM clips WHERE baseline_id IS NOT NULL)
    AND (frozen = 0 OR patient NOT IN (SELECT patient FROM clips))
"""
# A reset keeps older baselines from holding: it goes after they have gone.
_RESETS = """
    DELETE FROM baseline_resets WHERE at_utc < :before AND NOT EXISTS
    (SELECT 1 FROM baselines WHERE baselines.patient = baseline_resets.patient
     AND baselines.made_utc <= baseline_resets.at_utc)
"""
# The row stays: that stays were ever used decides whose clips are recorded between two of them.
_LEFT = "end_utc < :before AND patient != 'unassigned'"
_STAYS = f"UPDATE stays SET patient = :nobody WHERE {_LEFT}"  # noqa: S608


def _values(limit: Limit) -> dict[str, str]:
    return {"before": iso(limit.before)}


def _old(limit: Limit) -> str:
    old = f"{HAPPENED} < :before AND ended_by IS NOT NULL"
    if not limit.synchronized:
        return old
    latest = f"SELECT max(rowid) FROM clips WHERE {HAPPENED} < :before AND NOT ({_DOUBTFUL})"  # noqa: S608
    return f"{old} AND (NOT ({_DOUBTFUL}) OR rowid < ({latest}))"
