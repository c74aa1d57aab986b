"""How the device is doing, from its database and its audit trail alone: one screen."""

from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlite_utils

from edge_fea import __version__
from edge_fea.capture.clock import Clock, iso, system_zone, zone_named
from edge_fea.config import Settings
from edge_fea.errors import NotFoundError
from edge_fea.store.audit import AuditTrail
from edge_fea.store.baselines import Baselines
from edge_fea.store.database import is_recording, open_for_reading
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.moments import HAPPENED
from edge_fea.store.patients import Stays
from edge_fea.store.rows import Row
from edge_fea.summary.baseline import BaselineRule

_LEAVING = ("export", "report", "pack")


@dataclass(frozen=True, slots=True)
class Today:
    """The clips of the local day so far, the running one too."""

    clips: int
    recorded_s: float
    valid_seconds: int

    @property
    def coverage(self) -> float | None:
        """Share of the recorded time in which the patient's face was read; None before a clip."""
        return self.valid_seconds / self.recorded_s if self.recorded_s else None


@dataclass(frozen=True, slots=True)
class BaselineState:
    """What is usual for the patient: made, or how far its making is."""

    made_utc: str | None
    frozen: bool
    clips: int
    days: int
    least_clips: int
    least_days: int


@dataclass(frozen=True, slots=True)
class Status:
    """Facts for one screen."""

    device_id: str
    app_version: str
    at: datetime
    zone: str
    """The patient's time zone: days are counted in it."""

    recording: bool
    clock_synchronized: bool
    patient: str
    """Whose clips are recorded now: see ``Stays.assigned``; otherwise whom the settings name."""

    left: dict[str, str]
    """When an export, a report and a pack last left whole, in UTC; without those that never did."""

    staying: bool = False
    database_bytes: int | None = None
    last_clip: Row | None = None
    """The latest clip that has ended."""

    running_clip: Row | None = None
    today: Today | None = None
    """None without a database."""

    baseline: BaselineState | None = None
    """None without a clip."""

    def as_dict(self) -> dict[str, Any]:
        """For programs: plain values, moments in ISO 8601, UTC."""
        plain = asdict(self)
        plain["at_utc"] = iso(plain.pop("at"))
        if self.today is not None:
            plain["today"]["coverage"] = self.today.coverage
        return plain


def gather(settings: Settings, trail: AuditTrail, clock: Clock) -> Status:
    """What the device's database and audit trail tell now; neither is changed.

    Raises a StoreError where one of them is there and cannot be read.
    """
    database = settings.store.database
    try:
        db = open_for_reading(database, busy_timeout=settings.store.busy_timeout_s)
    except NotFoundError:
        return _of_device(settings, trail, clock)
    with closing(db.conn), translated(database):
        # All of one moment, whatever is recorded meanwhile.
        db.conn.execute("BEGIN")
        known = _of_device(settings, trail, clock)
        stays, last = Stays(db), _latest(db, "ended_by IS NOT NULL")
        patient = stays.assigned() or known.patient
        return replace(
            known,
            patient=patient,
            staying=stays.present() is not None,
            database_bytes=_size(database),
            last_clip=last,
            running_clip=_latest(db, "ended_by IS NULL"),
            today=_today(db, known.at, known.zone),
            baseline=_baseline(db, settings, patient, last, known.at) if last else None,
        )


def _of_device(settings: Settings, trail: AuditTrail, clock: Clock) -> Status:
    """What is known without a clip."""
    return Status(
        device_id=settings.device.identity(),
        app_version=__version__,
        at=clock.now(),
        zone=settings.device.time_zone or system_zone(),
        recording=is_recording(settings.store.database),
        clock_synchronized=clock.synchronized(),
        patient=settings.device.patient,
        left=_last_left(trail),
    )


def _last_left(trail: AuditTrail) -> dict[str, str]:
    try:
        rows = trail.rows()
    except NotFoundError:
        return {}
    return {
        row["action"]: row["at_utc"]
        for row in rows
        if row["outcome"] == "done" and row["action"] in _LEAVING
    }


def _size(database: Path) -> int:
    """Bytes on the card: with the journal, which may be the larger part while recording."""
    journal = database.with_name(database.name + "-wal")
    size = database.stat().st_size
    with suppress(FileNotFoundError):
        size += journal.stat().st_size
    return size


def _latest(db: sqlite_utils.Database, condition: str) -> Row | None:
    found = db.query(
        f"SELECT * FROM clips WHERE {condition} ORDER BY {HAPPENED} DESC LIMIT 1"  # noqa: S608
    )
    return next(iter(found), None)


def _today(db: sqlite_utils.Database, now: datetime, zone: str) -> Today:
    midnight = now.astimezone(zone_named(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    clips, recorded, valid = db.execute(
        "SELECT count(*), coalesce(sum(duration_s), 0), coalesce(sum(valid_seconds), 0) "  # noqa: S608
        # What a clock that ran ahead wrote is not of today.
        f"FROM clips WHERE {HAPPENED} >= ? AND {HAPPENED} <= ?",
        [iso(midnight), iso(now)],
    ).fetchone()
    return Today(clips, float(recorded), int(valid))


def _baseline(
    db: sqlite_utils.Database, settings: Settings, patient: str, last: Row, now: datetime
) -> BaselineState:
    wanted, network = settings.baseline, last["model_sha256"]
    baselines = Baselines(db, BaselineRule(wanted.days, wanted.least_days, wanted.least_clips))
    held = baselines.holding(patient, network, now)
    if held is not None:
        found = (str(held["made_utc"]), bool(held["frozen"]), held["clips"], held["days"])
        return BaselineState(*found, wanted.least_clips, wanted.least_days)
    return BaselineState(
        None,
        False,
        *baselines.progress(patient, network, now),
        wanted.least_clips,
        wanted.least_days,
    )
