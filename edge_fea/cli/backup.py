"""Commands for a second copy: backup, restore."""

from contextlib import closing
from pathlib import Path

import click

from edge_fea.capture.clock import Clock, SystemClock, boot_id
from edge_fea.cli.context import Options, pass_options
from edge_fea.clinic.handover import on_record
from edge_fea.config.settings import StoreSettings
from edge_fea.device.backup import (
    BEFORE_UPGRADE,
    DATABASE,
    Backup,
    Origin,
    back_up,
    read_backup,
)
from edge_fea.device.restoring import erased_since
from edge_fea.device.restoring import restore as put_back
from edge_fea.errors import ConfigError
from edge_fea.store.audit import AuditEntry
from edge_fea.store.database import open_for_reading
from edge_fea.store.errors_from_sqlite import translated
from edge_fea.store.moments import Moments


@click.command()
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="The folder, on another disk; otherwise the settings' backup.folder.",
)
@click.option(
    "--keep",
    type=click.IntRange(1, 1000),
    help="How many backups of this device are kept there; otherwise the settings' backup.keep.",
)
@click.option(
    "--before-upgrade",
    is_flag=True,
    help="Note that it is for an upgrade: doctor does not count it as a second copy.",
)
@pass_options
def backup(options: Options, folder: Path | None, keep: int | None, before_upgrade: bool) -> None:
    """Copy the database and its audit trail to a second place, and check the copy.

    The service goes on recording meanwhile. The copy is a folder named after device and time; it
    holds all that the device knows of its patients, readable for whoever has it.
    """
    settings = options.settings()
    store, wanted = settings.store, settings.backup
    into = folder or wanted.folder
    if into is None:
        raise ConfigError("backup.folder is not set: set it, or give --to FOLDER")
    origin = Origin(store.database, store.audit, settings.device.identity(), store.busy_timeout_s)
    clock = _clock(store)
    entry = AuditEntry(options.actor(), "backup", format="backup")
    with on_record(options.trail(), entry, clock) as receipt:
        made = back_up(origin, into, keep=keep or wanted.keep, now=clock.now())
        copied = made.manifest.files[DATABASE]
        receipt.size, receipt.sha256 = copied.bytes, copied.sha256
        receipt.note = "on the same disk" if made.same_disk else ""
        if before_upgrade:
            receipt.note = BEFORE_UPGRADE
    click.echo(_done(made))
    if made.same_disk:
        click.echo(
            f"edge-fea: {into} is on the same disk as the database: when the card dies, both are "
            "gone",
            err=True,
        )


@click.command()
@click.argument("backup", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask before it is done.")
@pass_options
def restore(options: Options, backup: Path, yes: bool) -> None:
    """Put a BACKUP (its folder) in the place of the database. Stop the service first.

    The backup is checked before anything is changed. The present database is kept beside it under
    another name; the audit trail goes on, or is restored too where there is none.
    """
    store = options.settings().store
    found = read_backup(backup)
    clips = found.manifest.files[DATABASE].rows.get("clips", 0)
    click.echo(
        f"{backup}: {clips} clips of {found.manifest.device_id}, made {found.manifest.made_utc}"
    )
    if not yes:
        click.confirm(f"Put it in the place of {store.database}?", abort=True)
    clock = SystemClock()
    trail = options.trail()
    done = put_back(found, store.database, trail, clock.now())
    trail.append(AuditEntry(options.actor(), "restore", "done", note=done.note), clock.now())
    click.echo(f"restored; the former database is {done.set_aside or '(there was none)'}")
    for name in erased_since(store.database, trail, found.manifest.made_utc):
        click.echo(
            f"edge-fea: patient {name} was erased after this backup was made, and is back: "
            f"edge-fea patient erase {name}",
            err=True,
        )


def _clock(store: StoreSettings) -> Clock:
    with (
        closing(open_for_reading(store.database, busy_timeout=store.busy_timeout_s)) as db,
        translated(store.database),
    ):
        return Moments(db).clock(SystemClock(), boot_id())


def _done(made: Backup) -> str:
    copied = made.manifest.files[DATABASE]
    lines = [f"{made.path}: {copied.rows['clips']} clips, {copied.bytes / 1e6:.1f} MB, checked"]
    lines += [f"removed {old}" for old in made.removed]
    return "\n".join(lines)
