"""Puts a backup in the database's place. What was there is set aside, never overwritten."""

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlite_utils

from edge_fea.capture.clock import parse_iso
from edge_fea.clinic.outlet import digest, sync_folder
from edge_fea.device.backup import DATABASE, TRAIL, Backup, BackupManifest
from edge_fea.errors import StoreDamaged, StoreFull, StoreUnwritable
from edge_fea.store.anchor import settle_anchor
from edge_fea.store.audit import AuditTrail
from edge_fea.store.database import RecorderLock, require_writable
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.integrity import is_sound, unused
from edge_fea.store.order import begin_anew
from edge_fea.store.traces import tables_of


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done."""

    manifest: BackupManifest
    set_aside: Path | None
    """The database that was there before, under its new name."""

    trail_too: bool
    """Whether the audit trail was restored; one that is there already goes on."""

    note: str
    """What the audit trail must tell of it; empty for nothing."""


def restore(backup: Backup, database: Path, trail: AuditTrail, now: datetime) -> Restored:
    """Put ``backup``, which was checked, where ``database`` is.

    Raises StoreBusy while something records or reads, StoreUnwritable, StoreFull, or StoreDamaged
    where what was copied is not what was written once, or the trail on the device is damaged.
    """
    require_writable(database)
    lock = RecorderLock(database)
    try:
        _give_to_owner_of(database.with_name(database.name + ".lock"), database.parent)
        fresh = database.with_name(database.name + ".restoring")
        _copy(backup.path / DATABASE, fresh, backup.manifest.files[DATABASE].sha256)
        try:
            _count_on(fresh)
            with_trail = TRAIL in backup.manifest.files and not trail.path.exists()
            note = "" if with_trail else _go_by(trail, fresh)
            aside = _set_aside(database, now) if database.exists() else None
            fresh.rename(database)
        finally:
            # There only where something failed.
            fresh.unlink(missing_ok=True)
        sync_folder(database.parent)
        if with_trail:
            folder = trail.path.parent
            if not folder.is_dir():
                folder.mkdir(mode=0o700)
                _give_to_owner_of(folder, database.parent)
            _copy(backup.path / TRAIL, trail.path, backup.manifest.files[TRAIL].sha256)
            sync_folder(folder)
    finally:
        lock.release()
    return Restored(backup.manifest, aside, with_trail, note)


def erased_since(database: Path, trail: AuditTrail, made_utc: str) -> list[str]:
    """Pseudonyms in ``database`` that were erased after a moment: a backup brings them back."""
    erased = {
        reference
        for row in trail.rows()
        if row["action"] == "erase" and parse_iso(row["at_utc"]) >= parse_iso(made_utc)
        for reference in (row["patient_refs"] or "").split()
    }
    with translated(database), closing(sqlite_utils.Database(database).conn) as db:
        names = {
            name
            for table in tables_of(db)
            if "patient" in {column[1] for column in db.execute(f'PRAGMA table_info("{table}")')}
            for (name,) in db.execute(f'SELECT DISTINCT patient FROM "{table}"')  # noqa: S608
        }
    return sorted(name for name in names if trail.reference(name) in erased)


def _count_on(fresh: Path) -> None:
    """No clip is to have the place of one that was recorded after the backup, and handed over."""
    with translated(fresh), closing(sqlite_utils.Database(fresh).conn) as db:
        begin_anew(sqlite_utils.Database(db))


def _go_by(trail: AuditTrail, fresh: Path) -> str:
    """The backup's database may remember a row of a trail that the device has lost."""
    with translated(fresh), closing(sqlite_utils.Database(fresh).conn) as db:
        return settle_anchor(sqlite_utils.Database(db), fresh, trail)


def _set_aside(database: Path, now: datetime) -> Path:
    """Give the present file a second name; whatever happens then, one of the two databases stands.

    One file, without a journal; a damaged one goes with its journals, as it is.
    """
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    with translated(database):
        sound = is_sound(database)
        if sound:
            with closing(sqlite_utils.Database(database).conn) as db:
                db.execute("PRAGMA journal_mode=DELETE")
    kind = "before-restore" if sound else "damaged"
    aside = unused(database.with_name(f"{database.name}.{kind}-{stamp}"))
    os.link(database, aside)
    for suffix in ("-wal", "-shm"):
        # Left where it is, a journal would be taken for one of the file that comes now.
        journal = database.with_name(database.name + suffix)
        if journal.exists():
            journal.rename(aside.with_name(aside.name + suffix))
    return aside


def _copy(source: Path, target: Path, sha256: str) -> None:
    try:
        with source.open("rb") as read, target.open("wb") as written:
            os.fchmod(written.fileno(), 0o600)
            shutil.copyfileobj(read, written, 1 << 20)
            written.flush()
            os.fsync(written.fileno())
        _give_to_owner_of(target, target.parent)
    except OSError as error:
        target.unlink(missing_ok=True)
        kind = StoreFull if error.errno == 28 else StoreUnwritable
        raise kind(f"cannot write {target}: {error.strerror}; nothing was changed") from error
    if digest(target)[1] != sha256:
        target.unlink()
        raise StoreDamaged(f"{target}: what was read back is not what the backup holds")


def _give_to_owner_of(path: Path, folder: Path) -> None:
    # Made by root for a folder of the service's: the service must be able to go on with it.
    if os.geteuid() == 0:
        owner = folder.stat()
        # Whoever owns the folder may have put a link there meanwhile: to a file of root's.
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
