"""Who is on the device: stays that are begun and ended by the staff; and who was erased."""

import hashlib
import secrets
from datetime import datetime

import sqlite_utils

from edge_fea.capture.clock import Clock, boot_id, iso
from edge_fea.config.settings import UNASSIGNED
from edge_fea.errors import NotFoundError
from edge_fea.summary.record import ClipSummary


class Stays:
    """The table ``stays``: at most one stay lasts at a time."""

    def __init__(self, db: sqlite_utils.Database) -> None:
        self._db = db

    def present(self) -> str | None:
        """The pseudonym of the patient who is here now; None between two stays."""
        return next(
            (row["patient"] for row in self._db.table("stays").rows_where("end_utc IS NULL")), None
        )

    def assigned(self) -> str | None:
        """Whose clips are recorded now; UNASSIGNED between two stays.

        None where no stay was ever begun: then the settings' ``device.patient`` holds. It must not
        hold again after the first stay, or the next person in the bed is recorded under its name.
        """
        return self.present() or (UNASSIGNED if self.used() else None)

    def used(self) -> bool:
        """Whether a stay was ever begun on this device."""
        if self._db.table("stays").count_where():
            return True
        # The stays there were may all have been those of somebody who was erased.
        return bool(self._db.table("erasures").count_where("stays > 0"))

    def start(self, patient: str, now: datetime) -> str | None:
        """Begin a stay and end the one that lasts; the pseudonym of who was here before.

        Starting the patient who is here already changes nothing.
        """
        before = self.present()
        if before != patient:
            with self._db.conn:
                self._end(now)
                self._db.conn.execute(
                    "INSERT INTO stays (patient, start_utc) VALUES (?, ?)", [patient, iso(now)]
                )
        return before

    def end(self, now: datetime) -> str:
        """End the stay that lasts; the patient's pseudonym. Raises NotFoundError without one."""
        before = self.present()
        if before is None:
            raise NotFoundError("no patient's stay is running: `edge-fea patient start` begins one")
        with self._db.conn:
            self._end(now)
        return before

    def _end(self, now: datetime) -> None:
        self._db.conn.execute("UPDATE stays SET end_utc = ? WHERE end_utc IS NULL", [iso(now)])


class Erasures:
    """The table ``erasures``: keeps a running process from writing an erased patient's clip.

    The process that records holds clips in memory: the running one, and those that wait for a full
    disk. Who was erased is kept as a salted hash, and only until the recording is started afresh:
    then no such process is left.
    """

    def __init__(self, db: sqlite_utils.Database) -> None:
        self._db = db

    def add(self, patient: str, stays: int, clock: Clock) -> None:
        """Note that ``patient`` was erased now, with this number of stays."""
        salt = secrets.token_hex(16)
        self._db.conn.execute(
            "INSERT INTO erasures (at_utc, stays, boot_id, monotonic_s, salt, patient_hash) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [iso(clock.now()), stays, boot_id(), clock.monotonic(), salt, _hash(salt, patient)],
        )

    def of(self, patient: str, after: int = 0) -> list[tuple[str, float]]:
        """Boot and moment (monotonic, seconds) of the patient's erasures with numbers above."""
        found = self._db.execute(
            "SELECT salt, patient_hash, boot_id, monotonic_s FROM erasures "
            "WHERE erasure_id > ? AND salt IS NOT NULL",
            [after],
        )
        return [(boot, at) for salt, hashed, boot, at in found if hashed == _hash(salt, patient)]

    def forbid(self, clip: ClipSummary, after: int) -> bool:
        """Whether ``clip``, of a process that has run since erasure ``after``, must not be kept."""
        boot = clip.recording.boot_id
        return any(
            boot is None or (boot == then and clip.start_monotonic_s < at)
            for then, at in self.of(clip.recording.patient, after)
        )

    def last(self) -> int:
        """The number of the last erasure."""
        (number,) = self._db.execute("SELECT coalesce(max(erasure_id), 0) FROM erasures").fetchone()
        return int(number)

    def forget(self) -> None:
        """Take away who was erased: called by the one process that records, when it starts."""
        self._db.conn.execute(
            "UPDATE erasures SET boot_id = NULL, monotonic_s = NULL, salt = NULL, "
            "patient_hash = NULL WHERE salt IS NOT NULL"
        )


def _hash(salt: str, patient: str) -> str:
    return hashlib.sha256(f"{salt}:{patient}".encode()).hexdigest()
