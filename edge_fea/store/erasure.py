"""Removes all that is kept of one patient, and looks into the files for what may be left.

It works while the device records. What it cannot reach is what has left the device, and cells of
the card that its controller has set aside: see docs/privacy.md.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge_fea.capture.clock import Clock
from edge_fea.errors import (
    ErasureIncomplete,
    NotAllowed,
    NotFoundError,
    StoreBusy,
    StoreDamaged,
    StoreFull,
)
from edge_fea.store.database import (
    empty_journal,
    open_for_reading,
    open_for_staff,
    require_writable,
    writing,
)
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.patients import Erasures, Stays
from edge_fea.store.traces import Search, Traces, search, tables_of, traces_of

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Copies:
    """Older states of a database that lie beside it."""

    backups: tuple[Path, ...]
    """Made before upgrades, or set aside for a restored one: the patient is erased in them."""

    damaged: tuple[Path, ...]
    """Damaged, or left half made: nobody can say what is in them, so they are deleted."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was done."""

    rows: int
    """Rows removed, from the database and its backups."""

    copies: Copies
    search: Search


def copies_of(path: Path) -> Copies:
    """The copies that edge-fea has made of the database at ``path``."""
    beside = sorted(path.parent.iterdir())
    backups, damaged = (
        [each for each in beside if each.name.startswith(beginnings)]
        for beginnings in (
            (f"{path.name}.before-upgrade-", f"{path.name}.before-restore-"),
            (f"{path.name}.damaged-", f"{path.name}.recovering", f"{path.name}.restoring"),
        )
    )
    journals = ("-wal", "-shm", "-journal")
    return Copies(tuple(b for b in backups if not b.name.endswith(journals)), tuple(damaged))


def rows_of(path: Path, patient: str, *, busy_timeout: float) -> int:
    """How many rows of ``patient`` the database at ``path`` has.

    Raises what ``open_for_reading`` raises.
    """
    with closing(open_for_reading(path, busy_timeout=busy_timeout)) as db, translated(path):
        return _count(db.conn, patient)


def erase_patient(path: Path, patient: str, *, busy_timeout: float, clock: Clock) -> Erased:
    """Remove every row of ``patient`` from the database at ``path`` and its copies, and search.

    May be repeated: what a first run could not do, a second one does.

    Raises NotAllowed while the patient's stay is running, NotFoundError where nothing of them was
    there, StoreBusy where another process still reads an older state, ErasureIncomplete naming the
    files in which something was found, and what ``open_for_staff`` raises.
    """
    require_writable(path)
    if not path.exists():
        raise NotFoundError(f"no database {path}: nothing has been recorded there")
    copies = copies_of(path)
    with open_for_staff(path, busy_timeout=busy_timeout) as db:
        traces = traces_of(db.conn, patient)
        with writing(db):
            if Stays(db).present() == patient:
                raise NotAllowed(
                    f"patient {patient} is on the device: end the stay first, with `edge-fea "
                    "patient end`"
                )
            before = bool(Erasures(db).of(patient))
            stays = db.table("stays").count_where("patient = ?", [patient])
            rows = _remove(db.conn, patient)
            if rows:
                Erasures(db).add(patient, stays, clock)
        in_use = rows
        for copy in copies.backups:
            try:
                removed, left = _erase_in_copy(copy, patient)
                rows, traces = rows + removed, traces | left
            except StoreDamaged:
                copies = Copies(
                    tuple(each for each in copies.backups if each != copy),
                    (*copies.damaged, copy),
                )
        for copy in copies.damaged:
            _overwrite(copy)
        if not in_use and (rows or (copies.damaged and not before)):
            with writing(db):
                Erasures(db).add(patient, stays, clock)
        _rewrite(db.conn, path, patient)
        if not empty_journal(db):
            raise StoreBusy(
                f"the rows of patient {patient} are removed, but another process is reading an "
                f"older state of {path} and keeps it in its journal: give the same command again"
            )
        found = search(_files(path), traces)
    if found.found:
        places = ", ".join(f"{count} in {file}" for file, count in found.found.items())
        raise ErasureIncomplete(
            f"no row of patient {patient} is left, but something of them was found: "
            f"{places}. Files that edge-fea did not make are yours to delete; otherwise give the "
            "same command again"
        )
    if not rows and not before and not copies.damaged:
        raise NotFoundError(f"nothing of a patient {patient} was in {path} or its copies")
    return Erased(rows, copies, found)


def _count(db: sqlite3.Connection, patient: str) -> int:
    return sum(
        db.execute(
            f'SELECT count(*) FROM "{table}" WHERE {condition}',  # noqa: S608
            [patient],
        ).fetchone()[0]
        for table, condition in tables_of(db).items()
    )


def _remove(db: sqlite3.Connection, patient: str) -> int:
    return sum(
        db.execute(f'DELETE FROM "{table}" WHERE {condition}', [patient]).rowcount  # noqa: S608
        for table, condition in tables_of(db).items()
    )


def _erase_in_copy(path: Path, patient: str) -> tuple[int, Traces]:
    with translated(path), closing(sqlite3.connect(path)) as db:
        # One file, so that no journal of it is left.
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA secure_delete=ON")
        traces = traces_of(db, patient)
        with db:
            rows = _remove(db, patient)
        db.execute("VACUUM")
    return rows, traces


def _rewrite(db: sqlite3.Connection, path: Path, patient: str) -> None:
    """Write the database afresh: also what is between rows, which zeroing does not reach, goes."""
    try:
        with translated(path):
            db.execute("VACUUM")
    except StoreFull as error:
        raise StoreFull(
            f"the rows of patient {patient} are removed and overwritten, but {path} cannot be "
            f"written afresh: free {2 * path.stat().st_size / 1e6:.0f} MB, and give the same "
            "command again"
        ) from error


def _overwrite(path: Path) -> None:
    """Delete a file, with zeros over its content first."""
    # A link may lead anywhere, and whoever does this may be root: then only the link goes.
    if path.is_symlink():
        path.unlink()
        return
    with os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+b") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, _BLOCK)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _files(path: Path) -> Iterator[Path]:
    """Every file beside the database, and the audit trail's."""
    for folder in (path.parent, path.parent / "audit"):
        if folder.is_dir():
            yield from (each for each in sorted(folder.iterdir()) if each.is_file())
