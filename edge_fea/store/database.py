"""Opens the database: for the one process that records, or for reading."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils

from edge_fea.errors import (
    NotFoundError,
    SchemaTooNew,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreUnwritable,
)
from edge_fea.store import dictionary
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.integrity import Rescue, is_sound, rescue, unused
from edge_fea.store.schema import known, migrations

_MAGIC = b"SQLite format 3\0"


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


def is_recording(database: Path) -> bool:
    """Whether some process records into ``database`` now.

    Read from the kernel's list of locks: taking the lock to see whether it is free could keep a
    recorder that starts just then from having it, and needs the right to open its file.
    """
    try:
        lock = database.with_name(database.name + ".lock").stat()
    except FileNotFoundError:
        return False
    place = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(words[1] == "FLOCK" and words[5:6] == [place] for words in held)


def require_writable(database: Path) -> None:
    """Raise StoreUnwritable unless this user can create and write ``database``."""
    folder = database.parent
    # os.path answers where pathlib raises: for a folder within one that this user may not enter.
    if not os.path.isdir(folder):  # noqa: PTH112
        raise StoreUnwritable(f"store.database: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreUnwritable(
            f"store.database: this user cannot write in {folder}: it must belong to the user who "
            "runs edge-fea (on a device: sudo -u edge-fea edge-fea ...)"
        )
    if database.exists() and not os.access(database, os.R_OK | os.W_OK):
        raise StoreUnwritable(f"store.database: this user cannot write {database}")


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
    _refuse_foreign(path)
    lock = RecorderLock(path)
    try:
        with translated(path):
            rescued = None
            if path.exists() and not is_sound(path):
                rescued = rescue(path, now)
            connection = _connect(path, busy_timeout)
            try:
                db = sqlite_utils.Database(connection)
                backup = _migrate(db, path, now)
            except BaseException:
                connection.close()
                raise
        return Opened(db, lock, rescued, backup)
    except BaseException:
        lock.release()
        raise


def _refuse_foreign(path: Path) -> None:
    """A file that is no database and that edge-fea has never used is somebody else's."""
    lock = path.with_name(path.name + ".lock")
    if lock.exists() or not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreDamaged(f"{path} is no SQLite database, and is left as it is: name another")


def open_for_reading(path: Path, *, busy_timeout: float) -> sqlite_utils.Database:
    """Open ``path`` without ever changing its data, while another process records or not.

    Raises NotFoundError, SchemaTooNew, StoreDamaged, StoreBusy, or StoreError where this user may
    not read it.
    """
    folder = path.parent
    may_look = not os.path.isdir(folder) or os.access(folder, os.X_OK)  # noqa: PTH112
    if may_look and (not path.exists() or path.stat().st_size == 0):
        raise NotFoundError(f"no database {path}: nothing has been recorded there")
    if os.path.isdir(path):  # noqa: PTH112
        raise StoreError(f"{path} is a folder, not a database")
    if not os.access(path, os.R_OK):
        raise StoreError(f"cannot read {path}: this user may not; put sudo before it")
    with translated(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{_read_mode(path)}", uri=True)
        try:
            connection.execute(f"PRAGMA busy_timeout={int(busy_timeout * 1000)}")
            connection.execute("PRAGMA query_only=ON")
            db = sqlite_utils.Database(connection)
            _refuse_newer(db, path)
            _refuse_older(db, path)
        except BaseException:
            connection.close()
            raise
        return db


@contextmanager
def open_for_staff(path: Path, *, busy_timeout: float) -> Iterator[sqlite_utils.Database]:
    """Open ``path`` for a small change while another process may be recording.

    A database that does not exist yet is made; one of an older schema is left to the recorder,
    which makes a backup first. Raises as ``open_for_recording`` does.
    """
    require_writable(path)
    with translated(path):
        connection = _connect(path, busy_timeout)
        try:
            db = sqlite_utils.Database(connection)
            _refuse_newer(db, path)
            if not migrations.applied(db):
                migrations.apply(db)
                dictionary.keep_in(db)
            _refuse_older(db, path)
            yield db
        finally:
            connection.close()


@contextmanager
def writing(db: sqlite_utils.Database) -> Iterator[None]:
    """One transaction that holds the write lock from its first read on.

    Nothing that was read in it can have changed when it writes. Raises sqlite3.Error.
    """
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.conn.rollback()
        raise
    db.conn.commit()


def empty_journal(db: sqlite_utils.Database, *, wait: bool = True) -> bool:
    """Put all of the write-ahead log into the database and cut it to nothing.

    False where another process is reading an older state, and goes on doing so for the whole
    time-out with ``wait``. What was deleted stays in the log until this is done.
    """
    (timeout,) = db.execute("PRAGMA busy_timeout").fetchone()
    if not wait:
        db.execute("PRAGMA busy_timeout=0").fetchone()
    try:
        (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout={timeout}").fetchone()
    return not busy


def _read_mode(path: Path) -> str:
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        # A connection that may write takes its journals away when it closes; query_only keeps it
        # from changing anything else.
        return "mode=rw"
    if path.with_name(path.name + "-wal").exists():
        return "mode=ro"
    # Nobody records, and this user cannot make the journals that WAL mode needs.
    return "mode=ro&immutable=1"


def _connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_timeout)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL: with NORMAL a pulled plug loses every transaction since the last WAL checkpoint,
        # for hours.
        connection.execute("PRAGMA synchronous=FULL")
        # What is deleted is overwritten with zeros, also where this is not SQLite's default.
        connection.execute("PRAGMA secure_delete=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_newer(db: sqlite_utils.Database, path: Path) -> None:
    unknown = {step.name for step in migrations.applied(db)} - known()
    if unknown:
        raise SchemaTooNew(
            f"{path} was written by a newer edge-fea (step {max(unknown)}): upgrade this one"
        )


def _refuse_older(db: sqlite_utils.Database, path: Path) -> None:
    if migrations.applied(db) and migrations.pending(db):
        raise StoreError(f"{path} is of an older edge-fea: start the service first")


def _migrate(db: sqlite_utils.Database, path: Path, now: datetime) -> Path | None:
    _refuse_newer(db, path)
    backup = None
    if not migrations.pending(db):
        dictionary.keep_in(db)
        return backup
    if migrations.applied(db):
        backup = unused(path.with_name(f"{path.name}.before-upgrade-{now:%Y%m%dT%H%M%SZ}"))
        db.conn.execute("VACUUM INTO ?", [str(backup)])
    migrations.apply(db)
    dictionary.keep_in(db)
    return backup
