"""Checks of what is kept: database, permissions, last clip, audit trail, last export, backup."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import sqlite_utils

from edge_fea.capture.clock import parse_iso
from edge_fea.device.backup import BEFORE_UPGRADE, backups_in, made_at
from edge_fea.device.disks import same_disk
from edge_fea.device.doctor.findings import Case, Verdict, bad, ok, warn
from edge_fea.device.pausing import Pauses, pause_file
from edge_fea.errors import NotFoundError, StoreError
from edge_fea.store.anchor import Anchor, anchor_of
from edge_fea.store.audit import AuditTrail
from edge_fea.store.database import open_for_reading
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.moments import HAPPENED, Moments
from edge_fea.store.rows import Row

# SQLite asks whether to go on after so many of its steps: some thousand times a second.
_STEPS = 10_000
_OLD_BACKUP_DAYS, _LOST_BACKUP_DAYS = 3, 14
_OLD_EXPORT_DAYS = 45
_LEAVING = ("export", "report", "pack")
_EMPTY = "nothing has been recorded yet"
_HINT_SERVICE = "see what it says: journalctl -u edge-fea -n 50"


@contextmanager
def _open(case: Case) -> Iterator[sqlite_utils.Database]:
    """The database, for reading. Raises PermissionError where this user may not."""
    store = case.settings.store
    folder = store.database.parent
    if os.path.isdir(folder) and not os.access(folder, os.X_OK | os.R_OK):  # noqa: PTH112
        raise PermissionError(f"{folder} is not for this user")
    with (
        closing(open_for_reading(store.database, busy_timeout=store.busy_timeout_s)) as db,
        translated(store.database),
    ):
        yield db


def database(case: Case) -> Verdict:
    """Whether SQLite finds the database sound, within a time, and what was set aside."""
    path = case.settings.store.database
    try:
        with _open(case) as db:
            told, clips = _checked(case, db.conn), db.table("clips").count
    except NotFoundError:
        return warn(_EMPTY, f"start the service, or mend store.database ({path})")
    size = f"{clips} clips, {path.stat().st_size / 1e6:.1f} MB"
    if told not in ("ok", None):
        return bad(f"damaged: {told}", "restart the service: it keeps the file and rescues rows")
    damaged = [each.name for each in path.parent.glob(f"{path.name}.damaged-*")]
    if damaged:
        return warn(
            f"sound, {size}; it was damaged before: {', '.join(sorted(damaged))}",
            "have the card examined; delete what was set aside once you have what you need of it",
        )
    if told is None:
        return ok(f"{size}; sound as far as {case.check_s:g} s have gone (--full for all of it)")
    return ok(f"sound, {size}")


def _checked(case: Case, db: sqlite3.Connection) -> str | None:
    """What quick_check says; None where the time was over first."""
    limit = case.check_s
    if limit is not None:
        ends = case.clock.monotonic() + limit
        db.set_progress_handler(lambda: case.clock.monotonic() > ends, _STEPS)
    try:
        (told,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_INTERRUPT":
            raise
        return None
    finally:
        db.set_progress_handler(None, 0)
    return str(told)


def permissions(case: Case) -> Verdict:
    """Who owns and who may read what is kept."""
    store, clinic = case.settings.store, case.settings.clinic
    folder = store.database.parent
    if not folder.is_dir():
        return bad(f"there is no folder {folder}", "make it, or mend store.database")
    owner = folder.stat()
    secret = [each for each in _kept(store.database) if each.exists()]
    closed = not owner.st_mode & stat.S_IXOTH
    foreign = [each.name for each in secret if each.stat().st_uid != owner.st_uid]
    if foreign:
        return bad(
            f"{', '.join(foreign)}: not of the user who owns {folder}",
            f"sudo chown --reference={folder} {folder}/* (somebody ran edge-fea as another user)",
        )
    open_files = [each.name for each in secret if each.stat().st_mode & stat.S_IROTH]
    if open_files and not closed:
        return bad(
            f"everybody on this machine can read {', '.join(open_files)}",
            f"sudo chmod o-rwx {folder}",
        )
    key = clinic.signing_key
    if closed and os.access(key.parent, os.X_OK) and key.exists():
        mode = key.stat().st_mode
        # Its group may read it: the clinicians' account signs packs (deploy/clinician-account.sh).
        if mode & (stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO):
            return bad(f"others can read the device's key {key}", f"sudo chmod 640 {key}")
    return ok(f"{folder if closed else 'every file'} is for its owner and group alone")


def _kept(database: Path) -> list[Path]:
    beside = [database.with_name(database.name + end) for end in ("", "-wal", "-shm", ".lock")]
    return [*beside, database.parent / "audit" / f"{database.stem}-audit.db"]


def last_clip(case: Case) -> Verdict:
    """When the last clip was written, and how much of the last day the patient was seen."""
    try:
        with _open(case) as db:
            last = next(iter(db.query("SELECT * FROM clips ORDER BY rowid DESC LIMIT 1")), None)
            now = Moments(db).clock(case.clock, case.boot).now()
            since = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
            recorded, seen = db.execute(
                "SELECT coalesce(sum(duration_s), 0), coalesce(sum(valid_seconds), 0) "  # noqa: S608
                f"FROM clips WHERE {HAPPENED} >= ?",
                [since],
            ).fetchone()
    except NotFoundError:
        last = None
    if last is None:
        return warn(_EMPTY, "start the service: sudo systemctl enable --now edge-fea")
    age_s = _age_s(case, last)
    text = f"{_ago(age_s)}, seen {last['coverage']:.0%} of it{_paused(case)}"
    if case.recorder is None:
        return warn(f"{text}; nothing records now", "sudo systemctl start edge-fea")
    # A running clip is written at each checkpoint, a paused one too.
    longest = 2 * case.settings.clip.checkpoint_s + 60
    started = case.machine.age_s(case.recorder)
    if started is not None and started < longest:
        return ok(f"{text}; the recording was started {started:.0f} s ago")
    if age_s > longest:
        return bad(f"{text}, though something records", _HINT_SERVICE)
    if recorded > 6 * 3600 and not seen:
        return warn(
            f"{text}; nobody was seen in the last {recorded / 3600:.0f} h",
            "look where the camera points: edge-fea place",
        )
    return ok(f"{text}; {seen / max(recorded, 1):.0%} of the last {recorded / 3600:.0f} h")


def _paused(case: Case) -> str:
    settings = case.settings
    fallback_s = 60 * settings.indicator.pause_minutes
    file = pause_file(settings.store.database)
    left = Pauses(file, case.clock, case.boot, fallback_s=fallback_s).remaining()
    return f"; paused for another {max(1, round(left / 60))} min" if left > 0 else ""


def _age_s(case: Case, clip: Row) -> float:
    """Seconds since the end of what is written of a clip; by the monotonic clock where it can."""
    if clip["boot_id"] == case.boot:
        began = clip["start_monotonic_s"]
        return float(max(0.0, case.clock.monotonic() - began - clip["duration_s"]))
    start = parse_iso(clip["corrected_start_utc"] or clip["start_utc"])
    return float(max(0.0, (case.clock.now() - start).total_seconds() - clip["duration_s"]))


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min ago"
    return f"{seconds / 3600:.0f} h ago" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d ago"


def _trail(case: Case) -> AuditTrail:
    store = case.settings.store
    if not os.access(store.audit.parent, os.X_OK) and store.audit.parent.exists():
        raise PermissionError(f"{store.audit.parent} is not for this user")
    return AuditTrail(store.audit, busy_timeout=store.busy_timeout_s)


def audit(case: Case) -> Verdict:
    """Whether the audit trail is as it was written."""
    trail = _trail(case)
    anchor, silent = None, None
    try:
        anchor = _remembered(case)
    except StoreError as error:
        # The chain of the trail can be judged without the database.
        silent = str(error)
    lost = None if anchor is None else anchor.missing_in(trail)
    try:
        faults, rows = [str(fault) for fault in trail.faults()], trail.rows()
    except NotFoundError:
        faults, rows = [], []
        if lost is None:
            return _spoken_for("nothing has left this device", silent)
    faults += [] if lost is None else [lost]
    if faults:
        return bad(
            "; ".join(faults[:3]), "ask who changed it; keep the file: edge-fea audit tells more"
        )
    ended = {row["ends"] for row in rows}
    # A restored trail was copied by a backup whose own end only the original tells.
    ended |= {
        row["seq"]
        for row, after in pairwise(rows)
        if (row["action"], after["action"]) == ("backup", "restore")
    }
    open_ended = [row for row in rows if row["outcome"] == "begun" and row["seq"] not in ended]
    if open_ended:
        return warn(
            f"{len(rows)} rows, whole; row {open_ended[-1]['seq']} ({open_ended[-1]['action']}) "
            "was never ended",
            "something may have left the device then: see edge-fea audit",
        )
    return _spoken_for(f"{len(rows)} rows, whole", silent)


def _spoken_for(text: str, silent: str | None) -> Verdict:
    if silent is None:
        return ok(text)
    return warn(
        f"{text}; but the database cannot tell whether all of it was replaced: {silent}",
        "mend the database first: see its own line",
    )


def _remembered(case: Case) -> Anchor | None:
    """The row of the trail that the database remembers."""
    try:
        with _open(case) as db:
            return anchor_of(db)
    except NotFoundError:
        return None


def last_export(case: Case) -> Verdict:
    """When clips last left for somebody to read."""
    days = _days_since_last(case, *_LEAVING)
    if days is None:
        return ok("nothing has left this device yet")
    if days > _OLD_EXPORT_DAYS:
        return warn(f"{days:.0f} days ago", "is somebody still reading what is recorded?")
    return ok(f"{days:.0f} days ago")


def backup(case: Case) -> Verdict:
    """How old the newest backup is, and whether it would survive the card."""
    settings = case.settings
    folder = settings.backup.folder
    timer = "sudo systemctl enable --now edge-fea-backup.timer"
    if folder is None:
        days = _days_since_last(case, "backup", without=BEFORE_UPGRADE)
        if days is not None and days <= _LOST_BACKUP_DAYS:
            return ok(f"{days:.0f} days ago, by hand")
        text = "no backup.folder is set: when the card dies, all clips are gone"
        if _days_since_last(case, "backup") is not None and days is None:
            text += " (the backup that an upgrade made is on the same card)"
        return warn(text, f"set it to a folder on a stick, then {timer}")
    days = _days_since_last(case, "backup", without=BEFORE_UPGRADE)
    when = "never" if days is None else f"{days:.0f} days ago"
    if not folder.is_dir():
        return bad(f"{folder} is not there; last backup {when}", "plug the stick in and mount it")
    if days is None or days > _LOST_BACKUP_DAYS:
        return bad(f"last backup {when}", f"edge-fea backup tells why; {timer}")
    found = backups_in(folder, settings.device.identity())
    if not found:
        return bad(f"last backup {when}, but none is in {folder}", "is it the right stick?")
    text = (
        f"{when}, {len(found)} in {folder}, the newest of {made_at(found[-1]):%Y-%m-%d %H:%M} UTC"
    )
    if days > _OLD_BACKUP_DAYS:
        return warn(text, f"edge-fea backup tells why; {timer}")
    if same_disk(settings.store.database.parent, folder, case.machine.at("/sys")):
        return warn(f"{text}, on the same disk as the database", "set backup.folder to a stick")
    return ok(text)


def _days_since_last(case: Case, *actions: str, without: str | None = None) -> float | None:
    """Days since one of ``actions`` was done last, those with the note ``without`` left out."""
    try:
        rows = _trail(case).rows()
    except NotFoundError:
        return None
    done = [
        row["at_utc"]
        for row in rows
        if row["action"] in actions and row["outcome"] == "done" and row["note"] != without
    ]
    if not done:
        return None
    return max(0.0, (case.clock.now() - parse_iso(done[-1])).total_seconds() / 86400)
