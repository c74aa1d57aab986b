"""The audit trail: what left the device, and what was refused. Rows are only ever added.

It lies in a file of its own beside the database, so that an account which may only read the
database can still leave its row. Each row carries the hash of the one before it, so a row that was
removed, changed or put in later shows. The last row's hash goes into every pack: whoever holds one
can tell that nothing was cut off before it.

A patient is named by a keyed hash (``patient_ref``), never by the pseudonym: the trail outlives the
erasure of a patient.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils
from sqlite_utils import Migrations

from edge_fea.capture.clock import iso
from edge_fea.errors import NotFoundError
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.rows import Row

migrations = Migrations("edge_fea_audit")
_FIRST = "0" * 64


@migrations(name="0001_audit")
def create_audit(db: sqlite_utils.Database) -> None:
    """The trail, and the key that patients' references are made with."""
    db.conn.executescript(
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at_utc TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL,
            patient_ref TEXT, from_utc TEXT, to_utc TEXT, format TEXT, bytes INTEGER, sha256 TEXT,
            note TEXT NOT NULL, previous TEXT NOT NULL, chain TEXT NOT NULL
        ) STRICT;
        CREATE TABLE audit_key (key TEXT NOT NULL) STRICT;
        CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are never changed'); END;
        CREATE TRIGGER audit_stays BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are never removed'); END;
        """
    )
    db.table("audit_key").insert({"key": secrets.token_hex(32)})


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is put on record."""

    who: str
    """``user:LOGIN``, ``ssh:SHA256:...`` (a key's fingerprint), ``stick:SERIAL``, ``service``."""

    action: str
    """``export``, ``report``, ``pack``, ``show``, ``erase``, ``retention`` or an SSH verb."""

    outcome: str = "begun"
    """``begun``, ``done``, ``refused`` or ``failed``."""

    patient: str | None = None
    """The pseudonym; only its keyed hash is written."""

    start: datetime | None = None
    end: datetime | None = None
    format: str | None = None
    size: int | None = None
    sha256: str | None = None
    note: str = ""
    """Why it was refused or failed. Never a pseudonym, a path or a value of a patient."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the trail is not as it was written."""

    seq: int
    what: str


class AuditTrail:
    """The trail in one file. Each call opens and closes it: many processes leave rows."""

    def __init__(self, path: Path, *, busy_timeout: float) -> None:
        self._path = path
        self._timeout = busy_timeout

    def append(self, entry: AuditEntry, now: datetime) -> Row:
        """Add a row, on disk when this returns. Makes the file when it is the first.

        Raises StoreUnwritable, StoreBusy, StoreFull or StoreDamaged: what should have left the
        device then must not.
        """
        with self._opened() as db, closing(db.conn.cursor()) as cursor:
            # Taken before the last row is read, so that no two rows follow the same one.
            cursor.execute("BEGIN IMMEDIATE")
            last = cursor.execute("SELECT chain FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
            (number,) = cursor.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit").fetchone()
            row: Row = {
                "seq": number,
                "at_utc": iso(now),
                "who": entry.who,
                "action": entry.action,
                "outcome": entry.outcome,
                "patient_ref": _reference(db, entry.patient) if entry.patient else None,
                "from_utc": iso(entry.start) if entry.start else None,
                "to_utc": iso(entry.end) if entry.end else None,
                "format": entry.format,
                "bytes": entry.size,
                "sha256": entry.sha256,
                "note": entry.note,
                "previous": last[0] if last else _FIRST,
            }
            row["chain"] = _chain(row)
            marks = ", ".join(f":{name}" for name in row)
            cursor.execute(
                f"INSERT INTO audit ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                row,
            )
            cursor.execute("COMMIT")
        return row

    def rows(self, patient: str | None = None) -> list[Row]:
        """All rows, or those that concern a patient, the oldest first."""
        with self._reading() as db:
            if patient is None:
                return list(db.table("audit").rows_where(order_by="seq"))
            ref = _reference(db, patient)
            return list(db.table("audit").rows_where("patient_ref = ?", [ref], order_by="seq"))

    def faults(self) -> list[Fault]:
        """Where rows were removed, changed or put in; empty for a trail that is whole."""
        with self._reading() as db:
            rows = list(db.table("audit").rows_where(order_by="seq"))
            counted = list(db.query("SELECT seq FROM sqlite_sequence WHERE name = 'audit'"))
        return list(_faults(rows, int(counted[0]["seq"]) if counted else 0))

    def head(self) -> str:
        """The hash of the last row: what a later trail must contain."""
        with self._reading() as db:
            last = list(db.table("audit").rows_where(order_by="seq desc", limit=1))
        return str(last[0]["chain"]) if last else _FIRST

    @contextmanager
    def _opened(self) -> Iterator[sqlite_utils.Database]:
        with translated(self._path):
            # isolation_level None: transactions begin and end where they are written.
            connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None)
            with closing(connection):
                connection.execute("PRAGMA synchronous=FULL")
                db = sqlite_utils.Database(connection)
                if migrations.pending(db):
                    migrations.apply(db)
                yield db

    @contextmanager
    def _reading(self) -> Iterator[sqlite_utils.Database]:
        if not self._path.exists():
            raise NotFoundError(f"no audit trail {self._path}: nothing has left this device")
        with translated(self._path):
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=self._timeout)
            with closing(connection):
                yield sqlite_utils.Database(connection)


def _faults(rows: list[Row], counted: int) -> Iterator[Fault]:
    previous, expected = _FIRST, 1
    for row in rows:
        seq = int(row["seq"])
        if seq != expected:
            yield Fault(seq, f"rows {expected} to {seq - 1} are missing")
        elif row["previous"] != previous:
            yield Fault(seq, "does not follow from the row before it")
        if row["chain"] != _chain(row):
            yield Fault(seq, "was changed after it was written")
        previous, expected = row["chain"], seq + 1
    if counted >= expected:
        yield Fault(expected, f"rows {expected} to {counted} are missing at the end")


def _chain(row: Row) -> str:
    # Every column but the hash itself; as JSON, so that no two rows read alike.
    values = {name: value for name, value in row.items() if name != "chain"}
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _reference(db: sqlite_utils.Database, patient: str) -> str:
    (key,) = db.execute("SELECT key FROM audit_key").fetchone()
    return hmac.new(bytes.fromhex(key), patient.encode(), hashlib.sha256).hexdigest()[:32]
