"""Commands that remove clips for good: patient erase, retention."""

import click

from edge_fea.capture.clock import SystemClock, iso
from edge_fea.cli.context import Options, pass_options
from edge_fea.clinic.handover import on_record
from edge_fea.config import DeviceSettings
from edge_fea.config.layers import load_value
from edge_fea.config.settings import UNASSIGNED, StoreSettings
from edge_fea.device.backup import backups_in
from edge_fea.errors import NotAllowed, NotFoundError
from edge_fea.store.audit import AuditEntry
from edge_fea.store.database import open_for_staff, require_writable
from edge_fea.store.erasure import Copies, Erased, copies_of, erase_patient, rows_of
from edge_fea.store.retention import Limit, Retention


@click.command()
@click.argument("pseudonym")
@click.option("--yes", is_flag=True, help="Do not ask before it is done.")
@pass_options
def erase(options: Options, pseudonym: str, yes: bool) -> None:
    """Remove everything that is kept of PSEUDONYM, and search the files for what may be left.

    Rows go from the database and from the copies that upgrades have made; copies that were set
    aside as damaged are deleted as a whole. Other patients' rows stay as they are. What has left
    the device is out of reach: `edge-fea audit` tells who has received what.
    """
    settings = options.settings()
    store = settings.store
    name = load_value(DeviceSettings, "patient", pseudonym)
    require_writable(store.database)
    copies = copies_of(store.database)
    if not yes:
        rows = rows_of(store.database, name, busy_timeout=store.busy_timeout_s)
        click.echo(_plan(name, rows, copies))
        click.confirm("This cannot be taken back. Go on?", abort=True)
    clock = SystemClock()
    with on_record(options.trail(), AuditEntry(options.actor(), "erase", patient=name), clock) as r:
        if settings.device.patient == name != UNASSIGNED:
            raise NotAllowed(
                f"device.patient in the settings is {name}: take it out, and start the service "
                "afresh, or the patient's clips are recorded again"
            )
        done = erase_patient(store.database, name, busy_timeout=store.busy_timeout_s, clock=clock)
        r.note = f"{done.rows} rows removed, {done.search.files} files searched, 0 found"
    click.echo(_done(name, done))
    folder = settings.backup.folder
    if folder is not None and folder.is_dir():
        for backup in backups_in(folder, settings.device.identity()):
            click.echo(f"edge-fea: may still be in the backup {backup}: delete it", err=True)


def _plan(name: str, rows: int, copies: Copies) -> str:
    lines = [f"patient {name}: {rows} rows are to be removed"]
    lines += [f"also from the copy {path}" for path in copies.backups]
    lines += [f"to be deleted, damaged or half made: {path}" for path in copies.damaged]
    return "\n".join(lines)


def _done(name: str, done: Erased) -> str:
    lines = [f"patient {name}: {done.rows} rows removed"]
    lines += [f"removed from the copy {path}" for path in done.copies.backups]
    lines += [f"deleted, damaged or half made: {path}" for path in done.copies.damaged]
    lines += [
        f"searched {done.search.files} files ({done.search.size / 1e6:.1f} MB) for pseudonym, "
        "clips and figures: 0 found",
        f"who has received what of {name}: `edge-fea audit --patient {name}`; logs and settings "
        "are yours to clean (docs/privacy.md)",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask where the clock is not known to be right.")
@pass_options
def retention(options: Options, yes: bool) -> None:
    """Erase now what is older than store.retention_days (the service does so daily)."""
    store = options.settings().store
    clock = SystemClock()
    limit = Limit.of(store.retention_days, clock)
    if not store.retention_days:
        click.echo("store.retention_days is 0: clips are kept for ever")
        return
    require_writable(store.database)
    if not store.database.exists():
        raise NotFoundError(f"no database {store.database}: nothing has been recorded there")
    with open_for_staff(store.database, busy_timeout=store.busy_timeout_s) as db:
        old = Retention(db, store.database)
        if not old.due(limit):
            click.echo(f"nothing is older than {store.retention_days} days")
            return
        if not yes and not old.believes(limit):
            click.echo(
                f"the clock says {iso(limit.now)}, and is not known to be right: "
                f"{old.due(limit)} clips and stays are older than {store.retention_days} days by it"
            )
            click.confirm("Erase them?", abort=True)
        _apply(options, store, old, limit, clock)


def _apply(
    options: Options, store: StoreSettings, old: Retention, limit: Limit, clock: SystemClock
) -> None:
    entry = AuditEntry(options.actor(), "retention", end=limit.before)
    with on_record(options.trail(), entry, clock) as receipt:
        removed = old.apply(limit, wait=True)
        receipt.note = str(removed)
    click.echo(f"older than {store.retention_days} days, and erased: {removed}")
