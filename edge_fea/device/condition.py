"""How the appliance itself is, for its own people: pause, failures, last backup, free disk."""

import os
from dataclasses import dataclass
from pathlib import Path

from edge_fea.capture.clock import Clock, boot_id
from edge_fea.config import Settings
from edge_fea.device.backup import BEFORE_UPGRADE
from edge_fea.device.pausing import Pauses, pause_file
from edge_fea.device.starts import last_failures
from edge_fea.errors import NotFoundError
from edge_fea.store.audit import AuditTrail


@dataclass(frozen=True, slots=True)
class Condition:
    """What can be known at once, without asking the camera or the service manager."""

    paused_s: float | None
    """Seconds of pause that are left, 0 without one; None where this user may not see that."""

    failures: int | None
    """Starts in a row that have failed, up to the one that runs; None as above."""

    last_failure: str | None
    """Why the last of them has failed; None where none has."""

    last_backup_utc: str | None
    """When a backup to a second place was last made; None before the first."""

    free_bytes: int | None
    """Free on the disk of the database; None before there is a folder for it."""


def condition(settings: Settings, trail: AuditTrail, clock: Clock) -> Condition:
    """How the appliance is now; nothing is changed. Raises a StoreError as ``trail.rows`` does."""
    starts = settings.store.database.with_name("starts.json")
    failures = None if _withheld(starts) else last_failures(starts)
    return Condition(
        _paused_s(settings, clock),
        None if failures is None else len(failures),
        failures[-1].means if failures else None,
        _last_backup(trail),
        _free(settings),
    )


def _paused_s(settings: Settings, clock: Clock) -> float | None:
    fallback_s = 60 * settings.indicator.pause_minutes
    file = pause_file(settings.store.database)
    if _withheld(file):
        return None
    return Pauses(file, clock, boot_id(), fallback_s=fallback_s).remaining()


def _withheld(file: Path) -> bool:
    """Whether there is such a file, or may be one, that this user may not read."""
    if not os.access(file.parent, os.X_OK):
        return file.parent.exists()
    return file.exists() and not os.access(file, os.R_OK)


def _last_backup(trail: AuditTrail) -> str | None:
    try:
        rows = trail.rows()
    except NotFoundError:
        return None
    made = [
        row["at_utc"]
        for row in rows
        # One that an upgrade made is lost with the card.
        if (row["action"], row["outcome"]) == ("backup", "done") and row["note"] != BEFORE_UPGRADE
    ]
    return made[-1] if made else None


def _free(settings: Settings) -> int | None:
    try:
        found = os.statvfs(settings.store.database.parent)
    except FileNotFoundError:
        return None
    return found.f_bavail * found.f_frsize
