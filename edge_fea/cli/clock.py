"""The device's clock: clock."""

from datetime import datetime

import click

from edge_fea.capture.clock import SystemClock, boot_id, iso, system_zone, zone_named
from edge_fea.cli.context import Options, pass_options
from edge_fea.errors import NotFoundError
from edge_fea.store.audit import AuditEntry
from edge_fea.store.database import open_for_reading, open_for_staff, writing
from edge_fea.store.moments import Moments


@click.group(invoke_without_command=True)
@click.pass_context
def clock(context: click.Context) -> None:
    """Show whether the device knows what time it is, and which clips may carry a wrong one."""
    if context.invoked_subcommand is None:
        _show(context.obj)


@clock.command()
@pass_options
def confirm(options: Options) -> None:
    """Say that the device's clock is right now, where no network can.

    Set it first (`sudo date --set='2026-11-22 18:04'`). Clips of this boot that carry a doubtful
    time get a corrected one, those recorded until the next boot too; what was recorded stays
    beside it.
    """
    store = options.settings().store
    system = SystemClock()
    with open_for_staff(store.database, busy_timeout=store.busy_timeout_s) as db:
        moments = Moments(db)
        with writing(db):
            moments.check(boot_id(), system)
        corrected = 0
        more = True
        while more:
            # Each in a transaction of its own: the service wants to write between them.
            with writing(db):
                more = bool(done := moments.catch_up(boot_id()))
            corrected += done
    options.trail().append(
        AuditEntry(options.actor(), "clock", "done", note=f"clips corrected: {corrected}"),
        system.now(),
    )
    click.echo(f"{_local(options, system.now())} is taken as right; clips corrected: {corrected}")


def _show(options: Options) -> None:
    store = options.settings().store
    system = SystemClock()
    right = system.synchronized()
    click.echo(f"{_local(options, system.now())}, {iso(system.now())}")
    click.echo("synchronized" if right else "not synchronized since this boot")
    try:
        db = open_for_reading(store.database, busy_timeout=store.busy_timeout_s)
    except NotFoundError:
        click.echo("no clip yet")
        return
    try:
        moments = Moments(db)
        behind = moments.clock(system, boot_id()).behind()
        if behind:
            click.echo(f"{behind.total_seconds():.0f} s behind what was recorded before this boot")
        if not right and moments.zero(boot_id()) is not None:
            click.echo("confirmed in this boot")
        here, everywhere = moments.doubtful(boot_id()), moments.doubtful()
        click.echo(f"{everywhere} clips with a doubtful time, {here} of them of this boot")
    finally:
        db.conn.close()


def _local(options: Options, moment: datetime) -> str:
    zone = options.settings().device.time_zone or system_zone()
    return f"{moment.astimezone(zone_named(zone)):%Y-%m-%d %H:%M:%S %z} {zone}"
