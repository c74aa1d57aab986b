"""Who is on the device: stays that are begun and ended by the staff."""

from datetime import datetime

import sqlite_utils

from edge_fea.capture.clock import iso
from edge_fea.errors import NotFoundError


class Stays:
    """The table ``stays``: at most one stay lasts at a time."""

    def __init__(self, db: sqlite_utils.Database) -> None:
        self._db = db

    def present(self) -> str | None:
        """The pseudonym of the patient who is here now; None between two stays."""
        return next(
            (row["patient"] for row in self._db.table("stays").rows_where("end_utc IS NULL")), None
        )

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
