"""The audit trail: what left the device, and what was refused. Rows are only ever added.

It lies in a file of its own beside the database, so that an account which may only read the
database can still leave its row. Each row carries the hash of the one before it, so a row that was
removed, changed or put in later shows. Whoever can write the file and computes all later hashes
anew is not found out by the trail alone: the last hash goes into every pack, and a trail that
lacks one of those was rewritten.

A patient is named by a keyed hash, never by the pseudonym: the trail outlives the erasure of a
patient, and still tells who has received what about them.
"""

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils

from edge_fea.capture.clock import iso
from edge_fea.errors import NotFoundError, SchemaTooNew, StoreDamaged, StoreError
from edge_fea.store.audit_chain import Fault, chain, chain_faults, guards_faults
from edge_fea.store.audit_schema import FIRST, STEPS, migrations
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.rows import Row

_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is put on record."""

    who: str
    """``user:LOGIN``, ``ssh:SHA256:...`` (a key's), ``stick:SERIAL/VOLUME``, ``service``."""

    action: str
    """``export``, ``report``, ``pack``, ``show``, ``erase``, ``retention`` or an SSH verb."""

    outcome: str = "begun"
    """``begun``, ``done``, ``refused``, ``failed`` or ``nothing_new``."""

    patient: str | None = None
    """The pseudonym that was asked for, None for all; only its keyed hash is written."""

    start: datetime | None = None
    end: datetime | None = None
    format: str | None = None
    size: int | None = None
    """Bytes."""

    sha256: str | None = None
    note: str = ""
    """Why it was refused or failed. Never a pseudonym, a path or a value of a patient."""

    patients: tuple[str, ...] = ()
    """The pseudonyms that what left is about, where all were asked for."""

    ends: int | None = None
    """The row that said ``begun``."""

    after_place: int | None = None
    """Of a pack: the place in the order of recording that it follows on from."""

    to_place: int | None = None
    """Of a pack: the place up to which it lacks no clip recorded after ``after_place``."""

    readers: tuple[str, ...] = ()
    """Of an encrypted pack: the fingerprints of the keys that open it."""

    file: str | None = None
    """Of a pack: the name that edge-fea gave it, None where somebody chose another."""


class AuditTrail:
    """The trail in one file. Each call opens and closes it: many processes leave rows."""

    def __init__(self, path: Path, *, busy_timeout: float) -> None:
        self.path = path
        self._timeout = busy_timeout

    def append(self, entry: AuditEntry, now: datetime) -> Row:
        """Add a row, on disk when this returns. Makes the file when it is the first.

        Raises StoreUnwritable, StoreBusy, StoreFull, StoreDamaged or SchemaTooNew: what should
        have left the device then must not.
        """
        with self._writing() as db:
            # Taken before anything is read: the first process makes the tables, the others wait,
            # and no two rows follow the same one. Closing without COMMIT takes all of it back.
            db.conn.execute("BEGIN IMMEDIATE")
            _refuse_newer(db, self.path)
            if migrations.pending(db):
                migrations.apply(db)
            row = _row(db, entry, now)
            marks = ", ".join(f":{name}" for name in row)
            db.conn.execute(
                f"INSERT INTO audit ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                row,
            )
            db.conn.execute("COMMIT")
        return row

    def rows(self, patient: str | None = None) -> list[Row]:
        """All rows, the oldest first; with ``patient`` those about them or about everybody.

        Raises NotFoundError where there is no trail yet.
        """
        with self._reading() as db:
            if patient is None:
                return list(db.table("audit").rows_where(order_by="seq"))
            return list(
                db.table("audit").rows_where(
                    "patient_refs IS NULL OR instr(patient_refs, ?)",
                    [_reference(db, patient)],
                    order_by="seq",
                )
            )

    def reference(self, patient: str) -> str:
        """What stands for ``patient`` in the trail."""
        with self._reading() as db:
            return _reference(db, patient)

    def faults(self) -> list[Fault]:
        """Where rows were removed, changed or put in; empty for a trail that is whole."""
        with self._reading() as db:
            # One moment for both: a row that is added in between is no fault.
            db.conn.execute("BEGIN")
            guards = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
            rows = list(db.table("audit").rows_where(order_by="seq"))
            counted = list(db.query("SELECT seq FROM sqlite_sequence WHERE name = 'audit'"))
        return [*guards_faults(guards), *chain_faults(rows, counted[0]["seq"] if counted else 0)]

    def contains(self, head: str) -> bool:
        """Whether a row has the hash ``head``, which a pack carries."""
        with self._reading() as db:
            return bool(db.table("audit").count_where("chain = ?", [head]))

    @contextmanager
    def _writing(self) -> Iterator[sqlite_utils.Database]:
        with translated(self.path), _kept(self.path):
            if not os.path.exists(self.path):  # noqa: PTH110  # answers where pathlib raises
                _create(self.path)
            # isolation_level None: transactions begin and end where they are written.
            connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
            with closing(connection):
                # WAL would want two more files that every reader must be able to write. With
                # DELETE and FULL a plug pulled right after COMMIT can bring the journal back, and
                # with it the state before; TRUNCATE and FULL sync the empty journal.
                connection.execute("PRAGMA journal_mode=TRUNCATE")
                connection.execute("PRAGMA synchronous=FULL")
                yield sqlite_utils.Database(connection)

    @contextmanager
    def _reading(self) -> Iterator[sqlite_utils.Database]:
        if not _size(self.path):
            raise NotFoundError(
                f"no audit trail {self.path}: nothing has left this device, or the trail was "
                "removed, which `edge-fea audit --verify` would tell"
            )
        # Only whoever may write can take back what a power cut left half done.
        mine = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        uri = f"{self.path.absolute().as_uri()}?mode={'rw' if mine else 'ro'}"
        with translated(self.path), _kept(self.path):
            connection = sqlite3.connect(uri, uri=True, timeout=self._timeout, isolation_level=None)
            with closing(connection):
                connection.execute("PRAGMA query_only=ON")
                db = sqlite_utils.Database(connection)
                _refuse_newer(db, self.path)
                yield db


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"cannot read the audit trail {path}: {error.strerror}") from error


def _create(path: Path) -> None:
    """An empty file that whoever may write in the folder may write, and nobody else may read."""
    try:
        _make_folder(path.parent)
        folder = path.parent.stat()
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError:
        # Another process was first; or SQLite will fail just so, and says it as everywhere.
        return
    try:
        # Made by root for a folder of the service's: the service must be able to go on with it.
        if os.geteuid() == 0:
            os.fchown(handle, folder.st_uid, folder.st_gid)
        if folder.st_mode & 0o020:
            os.fchmod(handle, 0o660)
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        above = folder.parent.stat()
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            # Whoever owns the folder above may have put a link there meanwhile.
            os.chown(folder, above.st_uid, above.st_gid, follow_symlinks=False)
        # Its name must last as surely as the rows in it.
        handle = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            raise StoreDamaged(
                f"the audit trail {path} is damaged, so nothing may leave: move it elsewhere, keep "
                "it for whoever examines it, and a new one begins"
            ) from error
        raise


def _refuse_newer(db: sqlite_utils.Database, path: Path) -> None:
    if unknown := {step.name for step in migrations.applied(db)} - set(STEPS):
        raise SchemaTooNew(
            f"{path} was written by a newer edge-fea (step {max(unknown)}): upgrade this one"
        )


def _row(db: sqlite_utils.Database, entry: AuditEntry, now: datetime) -> Row:
    last = db.execute("SELECT chain FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    # From the counter too: the number of a last row that was removed is not given again.
    (number,) = db.execute(
        "SELECT max(coalesce((SELECT max(seq) FROM audit), 0), "
        "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)) + 1"
    ).fetchone()
    named = {name for name in (entry.patient, *entry.patients) if name is not None}
    row: Row = {
        "seq": number,
        "ends": entry.ends,
        "at_utc": iso(now),
        "who": _plain(entry.who),
        "action": entry.action,
        "outcome": entry.outcome,
        "patient_refs": " ".join(sorted(_reference(db, name) for name in named)) or None,
        "from_utc": iso(entry.start) if entry.start else None,
        "to_utc": iso(entry.end) if entry.end else None,
        "format": entry.format,
        "bytes": entry.size,
        "sha256": entry.sha256,
        "note": _plain(entry.note),
        "previous": last[0] if last else FIRST,
        "after_place": entry.after_place,
        "to_place": entry.to_place,
        "readers": " ".join(sorted(entry.readers)) or None,
        "file": entry.file,
    }
    return row | {"chain": chain(row)}


def _plain(text: str) -> str:
    """What a USB stick says of itself can be anything: no control characters reach a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)[:_LONGEST_TEXT]


def _reference(db: sqlite_utils.Database, patient: str) -> str:
    (key,) = db.execute("SELECT key FROM audit_key").fetchone()
    return hmac.new(bytes.fromhex(key), patient.encode(), hashlib.sha256).hexdigest()[:32]
