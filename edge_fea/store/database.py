"""Opens the database: for the one process that records, or for reading."""

import fcntl
import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils

from edge_fea.errors import NotFoundError, SchemaTooNew, StoreBusy, StoreUnwritable
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.integrity import Rescue, is_sound, rescue
from edge_fea.store.schema import known, migrations


class RecorderLock:
    """Held by the one process that records into a database; the kernel drops it with the process.

    Without it, a second recorder would take the first one's running clip for one that a power
    loss had left open, and close it.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnwritable(
                f"store.database: cannot write in {path.parent} ({error.strerror}): the folder "
                "must exist and belong to the user who runs edge-fea"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StoreBusy(f"another edge-fea is recording into {database}") from error

    def release(self) -> None:
        """Let another process record."""
        os.close(self._file)


def require_writable(database: Path) -> None:
    """Raise StoreUnwritable unless this user can create and write ``database``."""
    folder = database.parent
    if not folder.is_dir():
        raise StoreUnwritable(f"store.database: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreUnwritable(
            f"store.database: this user cannot write in {folder}: it must belong to the user who "
            "runs edge-fea"
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A database ready for recording, and what had to be done to get there."""

    db: sqlite_utils.Database
    lock: RecorderLock
    rescue: Rescue | None
    backup: Path | None
    """The copy made before an older schema was migrated."""


def open_for_recording(path: Path, *, busy_timeout: float, now: datetime) -> Opened:
    """Lock, check, rescue if damaged, migrate after a backup, and open ``path`` in WAL mode.

    Raises StoreUnwritable, StoreBusy, StoreFull, StoreDamaged or SchemaTooNew.
    """
    require_writable(path)
    lock = RecorderLock(path)
    try:
        with translated(path):
            rescued = None
            if path.exists() and not is_sound(path):
                rescued = rescue(path, now)
            db = sqlite_utils.Database(_connect(path, busy_timeout))
            # FULL: with NORMAL a pulled plug loses every transaction since the last WAL
            # checkpoint, for hours.
            db.conn.execute("PRAGMA synchronous=FULL")
            backup = _migrate(db, path, now)
        return Opened(db, lock, rescued, backup)
    except BaseException:
        lock.release()
        raise


def open_for_reading(path: Path, *, busy_timeout: float) -> sqlite_utils.Database:
    """Open ``path`` read-only. Raises NotFoundError, SchemaTooNew, StoreDamaged, StoreBusy."""
    if not path.exists():
        raise NotFoundError(f"no database {path}: nothing has been recorded there")
    with translated(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        connection.execute(f"PRAGMA busy_timeout={int(busy_timeout * 1000)}")
        db = sqlite_utils.Database(connection)
        _refuse_newer(db, path)
        return db


def _connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_timeout)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def _refuse_newer(db: sqlite_utils.Database, path: Path) -> None:
    unknown = {step.name for step in migrations.applied(db)} - known()
    if unknown:
        raise SchemaTooNew(
            f"{path} was written by a newer edge-fea (step {max(unknown)}): upgrade this one"
        )


def _migrate(db: sqlite_utils.Database, path: Path, now: datetime) -> Path | None:
    _refuse_newer(db, path)
    if not migrations.pending(db):
        return None
    backup = None
    if migrations.applied(db):
        backup = path.with_name(f"{path.name}.before-upgrade-{now:%Y%m%dT%H%M%SZ}")
        db.conn.execute("VACUUM INTO ?", [str(backup)])
    migrations.apply(db)
    return backup
