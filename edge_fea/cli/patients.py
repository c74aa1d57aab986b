"""Commands about the patient: patient start and end, baseline show, update, freeze and reset."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo

import click
import sqlite_utils
from tabulate import tabulate

from edge_fea.capture.clock import parse_iso, system_zone, zone_named
from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.erase import erase
from edge_fea.config import DeviceSettings, Settings
from edge_fea.config.layers import load_value
from edge_fea.device.session import baseline_rule, load_classifier
from edge_fea.errors import NotFoundError
from edge_fea.store.baselines import Baselines
from edge_fea.store.database import open_for_reading, open_for_staff
from edge_fea.store.patients import Stays
from edge_fea.store.rows import Row
from edge_fea.summary.baseline import BASELINE_INDICES


@contextmanager
def _open(settings: Settings, *, to_read: bool = False) -> Iterator[sqlite_utils.Database]:
    store = settings.store
    if to_read:
        db = open_for_reading(store.database, busy_timeout=store.busy_timeout_s)
        try:
            yield db
        finally:
            db.conn.close()
    else:
        with open_for_staff(store.database, busy_timeout=store.busy_timeout_s) as db:
            yield db


@click.group()
def patient() -> None:
    """Say who is on the device, so that two patients never mix."""


@patient.command()
@click.argument("pseudonym")
@pass_options
def start(options: Options, pseudonym: str) -> None:
    """Begin the stay of PSEUDONYM; a stay that lasts is ended.

    A running service closes its clip at once and goes on with a new one.
    """
    name = load_value(DeviceSettings, "patient", pseudonym)
    with _open(options.settings()) as db:
        before = Stays(db).start(name, datetime.now(UTC))
    if before not in (None, name):
        click.echo(f"patient {before} has left")
    click.echo(f"patient {name} is on the device")


@patient.command()
@pass_options
def end(options: Options) -> None:
    """End the stay that lasts."""
    with _open(options.settings()) as db:
        name = Stays(db).end(datetime.now(UTC))
    click.echo(f"patient {name} has left")


@patient.command()
@pass_options
def show(options: Options) -> None:
    """Show who is on the device."""
    with _open(options.settings(), to_read=True) as db:
        name = Stays(db).present()
    click.echo(f"patient {name} is on the device" if name else "no patient's stay is running")


patient.add_command(erase)


PATIENT = click.option("--patient", "name", help="Pseudonym; otherwise who is here now.")


@click.group()
def baseline() -> None:
    """What is usual for a patient: median and spread over the last days."""


class _Work:
    """What every baseline command needs."""

    def __init__(self, options: Options, name: str | None) -> None:
        self.settings = options.settings()
        self.name = None if name is None else load_value(DeviceSettings, "patient", name)
        self.model = load_classifier(self.settings).manifest.sha256
        self.now = datetime.now(UTC)
        self.zone = zone_named(self.settings.device.time_zone or system_zone())

    @contextmanager
    def open(self, *, to_read: bool = False) -> Iterator[tuple[Baselines, str]]:
        with _open(self.settings, to_read=to_read) as db:
            name = self.name or Stays(db).assigned() or self.settings.device.patient
            if not db.table("clips").count_where("patient = ?", [name]):
                raise NotFoundError(f"no clips of a patient {name}")
            yield Baselines(db, baseline_rule(self.settings)), name


@baseline.command(name="show")
@PATIENT
@pass_options
def show_baseline(options: Options, name: str | None) -> None:
    """Show the baseline that holds now, or how far its making is."""
    work = _Work(options, name)
    with work.open(to_read=True) as (baselines, patient_name):
        held = baselines.holding(patient_name, work.model, work.now)
        former = baselines.former_network(patient_name, work.model)
        clips, days = baselines.progress(patient_name, work.model, work.now)
    if held is not None:
        click.echo(_page(held, work.zone))
        return
    rule = baseline_rule(work.settings)
    if former is not None:
        click.echo(
            f"the network has changed since baseline {former['baseline_id']} of "
            f"{_day(former['made_utc'], work.zone)}: a new baseline is begun"
        )
    click.echo(
        f"patient {patient_name} has no baseline yet: {clips} of {rule.least_clips} sufficient "
        f"clips, {days} of {rule.least_days} days"
    )


@baseline.command()
@PATIENT
@pass_options
def update(options: Options, name: str | None) -> None:
    """Make a new baseline now (the service does it daily)."""
    work = _Work(options, name)
    with work.open() as (baselines, patient_name):
        made = baselines.update(patient_name, work.model, work.now)
        clips, days = baselines.progress(patient_name, work.model, work.now)
    if made is None:
        click.echo(
            f"patient {patient_name}: not enough for a baseline ({clips} clips, {days} days)"
        )
    else:
        click.echo(_page(made, work.zone))


@baseline.command()
@PATIENT
@pass_options
def freeze(options: Options, name: str | None) -> None:
    """Let the present baseline hold until it is reset."""
    work = _Work(options, name)
    with work.open() as (baselines, patient_name):
        click.echo(_page(baselines.freeze(patient_name, work.model, work.now), work.zone))


@baseline.command()
@PATIENT
@pass_options
def reset(options: Options, name: str | None) -> None:
    """Begin anew: what came before is in no later baseline."""
    work = _Work(options, name)
    with work.open() as (baselines, patient_name):
        baselines.reset(patient_name, work.now)
    click.echo(f"patient {patient_name}: a new baseline is begun")


def _day(moment: str, zone: tzinfo) -> str:
    return f"{parse_iso(moment).astimezone(zone):%Y-%m-%d}"


def _page(row: Row, zone: tzinfo) -> str:
    lines = [
        f"baseline {row['baseline_id']} of patient {row['patient']}, "
        f"made {_day(row['made_utc'], zone)}" + (", frozen" if row["frozen"] else ""),
        f"from {row['clips']} sufficient clips of {row['days']} days, "
        f"{_day(row['first_utc'], zone)} to {_day(row['last_utc'], zone)}, "
        f"network {row['model_sha256'][:12]}",
        tabulate(
            [
                (name, row.get(f"median_{name}"), row.get(f"mad_{name}"))
                for name in BASELINE_INDICES
            ],
            headers=["index", "median", "median absolute deviation"],
            floatfmt=".4f",
            missingval="-",
        ),
    ]
    return "\n".join(lines)
