"""Backups: whole copies of the database and its audit trail in another place, read back.

A backup is a folder with the two files and a manifest that carries their hashes. It is written
under another name, checked, and then gets its own: what has the name of a backup is whole.
"""

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_fea import __version__
from edge_fea.capture.clock import iso
from edge_fea.clinic.outlet import digest, sync_folder, translated_output
from edge_fea.device.disks import same_disk
from edge_fea.errors import (
    NotFoundError,
    OutputDamaged,
    OutputFull,
    OutputUnwritable,
    StoreBusy,
    StoreDamaged,
)
from edge_fea.store.database import open_for_reading
from edge_fea.store.errors_from_sqlite import translated

DATABASE: Final = "edge-fea.db"
TRAIL: Final = "edge-fea-audit.db"
MANIFEST: Final = "backup.json"
# What the audit trail says of one that an upgrade made: it is lost with the card.
BEFORE_UPGRADE: Final = "before an upgrade"

# Left free where the backup shares the disk with the recording, bytes: it must not stop that.
_LEFT_FREE = 256 << 20
_MARGIN = 4 << 20


class Copied(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, strict=True)

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rows: dict[str, int]
    """Rows by table."""


class BackupManifest(BaseModel):
    """What a backup says of itself."""

    model_config = ConfigDict(frozen=True, strict=True)

    format: Literal["edge-fea backup"] = "edge-fea backup"
    version: Literal[1] = 1
    made_utc: str
    device_id: str
    app_version: str
    files: dict[Literal["edge-fea.db", "edge-fea-audit.db"], Copied]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is whole."""

    path: Path
    manifest: BackupManifest
    removed: tuple[Path, ...] = ()
    """Older ones that were removed for it."""

    same_disk: bool = False
    """Whether it is lost together with the database."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is copied."""

    database: Path
    trail: Path
    device_id: str
    busy_timeout: float


def back_up(origin: Origin, folder: Path, *, keep: int, now: datetime) -> Backup:
    """Copy the database and its trail into ``folder``, check the copies, and keep ``keep`` of them.

    Each file is of one moment, whatever is recorded meanwhile, and recording never waits for it.

    Raises NotFoundError without a database, OutputUnwritable, OutputFull, OutputDamaged, StoreBusy
    while another backup is written there, or what ``open_for_reading`` raises.
    """
    if not folder.is_dir():
        raise OutputUnwritable(
            f"there is no folder {folder}: is the stick plugged in and mounted there?"
        )
    stem = f"edge-fea-{origin.device_id}-"
    with _alone_in(folder), translated_output(folder):
        for left in folder.glob(f".{stem}*.partial"):
            _remove(left)
        together = same_disk(origin.database.parent, folder)
        path = _free_name(folder, f"{stem}{now:%Y%m%dT%H%M%SZ}")
        partial = folder / f".{path.name}.partial"
        try:
            manifest = _write(origin, partial, now, _LEFT_FREE if together else 0)
            partial.rename(path)
        finally:
            _remove(partial)
        sync_folder(folder)
        # The one just made stays, also where the clock has gone back and its name sorts first.
        others = [each for each in backups_in(folder, origin.device_id) if each != path]
        removed = others[: max(0, len(others) + 1 - keep)]
        for each in removed:
            _remove(each)
        sync_folder(folder)
    return Backup(path, manifest, tuple(removed), together)


def backups_in(folder: Path, device_id: str) -> list[Path]:
    """The backups of a device in ``folder``, by the times in their names, the oldest first."""
    pattern = re.compile(rf"edge-fea-{re.escape(device_id)}-\d{{8}}T\d{{6}}Z(-\d+)?")
    found = [each for each in folder.iterdir() if pattern.fullmatch(each.name) and each.is_dir()]
    return sorted(found, key=lambda each: each.name)


def made_at(path: Path) -> datetime:
    """The time in a backup's name, UTC."""
    stamp = re.findall(r"\d{8}T\d{6}Z", path.name)[-1]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S%z")


def read_backup(path: Path) -> Backup:
    """Check a backup: its hashes, and that SQLite finds its files sound.

    Raises NotFoundError where ``path`` is no backup, StoreDamaged where it is not what was written.
    """
    try:
        text = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise NotFoundError(f"{path} is no backup: it has no readable {MANIFEST}") from error
    try:
        manifest = BackupManifest.model_validate_json(text)
    except ValidationError as error:
        raise StoreDamaged(f"{path}: its {MANIFEST} cannot be understood: take another") from error
    if DATABASE not in manifest.files:
        raise StoreDamaged(f"{path}: its {MANIFEST} names no {DATABASE}: take another backup")
    for name, copied in manifest.files.items():
        try:
            found = digest(path / name)
        except OSError as error:
            raise StoreDamaged(f"{path / name}: {error.strerror}: take another backup") from error
        if found != (copied.bytes, copied.sha256):
            raise StoreDamaged(f"{path / name} is not what was written: take another backup")
        _require_sound(path / name, copied.rows)
    return Backup(path, manifest)


def _write(origin: Origin, partial: Path, now: datetime, left_free: int) -> BackupManifest:
    files: dict[Literal["edge-fea.db", "edge-fea-audit.db"], Copied] = {}
    with closing(open_for_reading(origin.database, busy_timeout=origin.busy_timeout)) as db:
        _require_space(origin, partial.parent, left_free)
        partial.mkdir(mode=0o700)
        files[DATABASE] = _copy(db.conn, origin.database, partial / DATABASE)
    if origin.trail.exists():
        with translated(origin.trail), closing(_trail(origin)) as trail:
            files[TRAIL] = _copy(trail, origin.trail, partial / TRAIL)
    manifest = BackupManifest(
        made_utc=iso(now), device_id=origin.device_id, app_version=__version__, files=files
    )
    with os.fdopen(_create(partial / MANIFEST), "w", encoding="utf-8") as file:
        file.write(manifest.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(partial)
    return manifest


def _copy(source: sqlite3.Connection, name: Path, target: Path) -> Copied:
    with translated(name):
        # The rows are counted and copied in one transaction: both are of the same moment.
        source.execute("BEGIN")
        rows = _rows(source)
    folder = target.parent.parent
    os.close(_create(target))
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        try:
            # Without the memory that is shared between processes: not every stick's file system
            # has it, and nobody else reads this file.
            copy.execute("PRAGMA locking_mode=EXCLUSIVE")
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            name_of = getattr(error, "sqlite_errorname", "")
            if name_of == "SQLITE_FULL":
                raise OutputFull(f"no space left in {folder}: nothing was left there") from error
            raise OutputUnwritable(f"cannot copy {name} to {target}: {error}") from error
        finally:
            source.execute("ROLLBACK")
    with target.open("rb") as file:
        os.fsync(file.fileno())
        written = os.fstat(file.fileno()).st_size
    size, sha256 = digest(target)
    try:
        _require_sound(target, rows)
    except StoreDamaged as error:
        raise OutputDamaged(f"{error}: the stick or its socket is broken, try another") from error
    if size != written:
        raise OutputDamaged(f"{target}: what was read back is not what was written")
    return Copied(bytes=size, sha256=sha256, rows=rows)


def _create(path: Path) -> int:
    # For the owner alone from the first byte on. Not by chmod: vfat refuses that.
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def _rows(db: sqlite3.Connection) -> dict[str, int]:
    names = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' "
        "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    )
    return {
        name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for (name,) in names.fetchall()
    }


def _require_sound(path: Path, rows: dict[str, int]) -> None:
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as db:
            (told,) = db.execute("PRAGMA quick_check(1)").fetchone()
            found = _rows(db)
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{path} cannot be read ({error})") from error
    if told != "ok" or found != rows:
        raise StoreDamaged(f"{path} is damaged ({told if told != 'ok' else 'rows are missing'})")


def _trail(origin: Origin) -> sqlite3.Connection:
    # Only whoever may write can take back what a power cut left half done.
    mine = os.access(origin.trail, os.W_OK) and os.access(origin.trail.parent, os.W_OK)
    uri = f"{origin.trail.absolute().as_uri()}?mode={'rw' if mine else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, timeout=origin.busy_timeout, isolation_level=None)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _require_space(origin: Origin, folder: Path, left_free: int) -> None:
    journal = origin.database.with_name(origin.database.name + "-wal")
    files = (origin.database, journal, origin.trail)
    needed = sum(each.stat().st_size for each in files if each.exists()) + _MARGIN
    free = shutil.disk_usage(folder).free
    if free < needed + left_free:
        reserve = f", {left_free / 1e6:.0f} MB of which are for the recording" if left_free else ""
        raise OutputFull(
            f"{folder} has {free / 1e6:.0f} MB free, and {(needed + left_free) / 1e6:.0f} are "
            f"needed{reserve}: nothing was written"
        )


def _free_name(folder: Path, name: str) -> Path:
    number, path = 1, folder / name
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}"
    return path


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with translated_output(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusy(f"another backup is being written in {folder}") from error
        yield
    finally:
        os.close(handle)


def _remove(backup: Path) -> None:
    """Remove a backup's own files and its folder; a folder with anything else in it stays."""
    if not backup.is_dir():
        return
    for name in (DATABASE, TRAIL, MANIFEST):
        for suffix in ("", "-journal", "-wal", "-shm"):
            (backup / f"{name}{suffix}").unlink(missing_ok=True)
    if not any(backup.iterdir()):
        backup.rmdir()
