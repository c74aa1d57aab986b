"""The command that tells how the device is doing: status."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from edge_fea.capture.clock import Clock, SystemClock, parse_iso, zone_named
from edge_fea.cli.context import Options, pass_options
from edge_fea.cli.formats import strongest
from edge_fea.cli.pause import told
from edge_fea.clinic.status import BaselineState, Status, gather
from edge_fea.config import Settings
from edge_fea.store.moments import happened, is_doubtful
from edge_fea.store.rows import Row

if TYPE_CHECKING:
    from edge_fea.device.condition import Condition
    from edge_fea.store.audit import AuditTrail


_WITHHELD = "not for this user to see: ask with sudo"


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)
@pass_options
def status(options: Options, form: str) -> None:
    """Tell on one screen how the device is doing.

    What the database and the audit trail know: who is here, the last clip, today's coverage,
    whether a recorder runs, and what last left the device. On the device itself also: a pause, the
    last failure, the last backup and free disk.
    """
    settings, trail, clock = options.settings(), options.trail(), SystemClock()
    found = gather(settings, trail, clock)
    # Clinicians, over SSH, are told of the patient's days; the appliance is its operator's.
    own = None if options.who else _condition(settings, trail, clock)
    if form == "json":
        facts = found.as_dict() | ({} if own is None else {"condition": asdict(own)})
        click.echo(json.dumps(facts, indent=1))
        return
    lines = _lines(found)
    if own is not None:
        lines[2:2] = [("pause", _paused(own, clock, settings))]
        lines += _appliance(found, own)
    click.echo("\n".join(f"{name:12} {text}" for name, text in lines))


def _lines(status: Status) -> list[tuple[str, str]]:
    size = status.database_bytes
    return [
        ("device", f"{status.device_id}, edge-fea {status.app_version}"),
        ("recording", "yes" if status.recording else "no: nothing records into the database now"),
        (
            "clock",
            "synchronized"
            if status.clock_synchronized
            else "not synchronized: hours and days of clips may be wrong",
        ),
        ("patient", status.patient + ("" if status.staying else " (no stay is running)")),
        ("last clip", _ended(status)),
        ("running clip", _running(status)),
        ("today", _today(status)),
        ("baseline", _baseline(status.baseline) if status.baseline else "no clips yet"),
        ("database", "none yet" if size is None else f"{size / 1e6:.1f} MB"),
        *((f"last {what}", _when(status, when)) for what, when in status.left.items()),
    ]


def _condition(settings: Settings, trail: "AuditTrail", clock: Clock) -> "Condition":
    # A session over SSH is to hold little memory: it has no use for the parts of the appliance.
    from edge_fea.device.condition import condition

    return condition(settings, trail, clock)


def _paused(own: "Condition", clock: Clock, settings: Settings) -> str:
    if own.paused_s is None:
        return _WITHHELD
    return told(own.paused_s, clock, settings)


def _appliance(status: Status, own: "Condition") -> list[tuple[str, str]]:
    failure = _WITHHELD if own.failures is None else "none"
    backup = "never: see docs/backup.md"
    if own.last_failure is not None:
        starts = "a start has" if own.failures == 1 else f"{own.failures} starts in a row have"
        failure = f"{starts} failed, last because {own.last_failure}: see edge-fea doctor"
    if own.last_backup_utc is not None:
        ago = (status.at - parse_iso(own.last_backup_utc)).total_seconds()
        backup = f"{_when(status, own.last_backup_utc)}, {_span(max(0.0, ago))} ago"
    free = "no folder yet" if own.free_bytes is None else f"{own.free_bytes / 1e9:.1f} GB free"
    return [("last failure", failure), ("last backup", backup), ("disk", free)]


def _ended(status: Status) -> str:
    clip = status.last_clip
    if clip is None:
        return "none yet"
    began = happened(clip)
    ago = (status.at - began).total_seconds() - clip["duration_s"]
    since = f"{_span(ago)} ago" if ago >= 0 else "in the future: the clock has jumped"
    doubt = " (by a clock that was not right)" if is_doubtful(clip) else ""
    return f"began {began:%Y-%m-%d %H:%M %z}{doubt}, ended {since}: {_seen(clip)}"


def _running(status: Status) -> str:
    if status.running_clip is None:
        return "none"
    seen = _seen(status.running_clip)
    return seen if status.recording else f"left open when the recorder ended: {seen}"


def _seen(clip: Row) -> str:
    return f"{clip['duration_s']:.0f} s, seen {clip['coverage']:.0%}, {strongest(clip)}"


def _today(status: Status) -> str:
    today = status.today
    if today is None or today.coverage is None:
        return "no clips yet"
    clips = f"{today.clips} clip{'' if today.clips == 1 else 's'}"
    return f"{clips}, {_span(today.recorded_s)} recorded, seen {today.coverage:.0%}"


def _baseline(state: BaselineState) -> str:
    if state.made_utc is None:
        return (
            f"not yet: {state.clips} of {state.least_clips} sufficient clips, "
            f"{state.days} of {state.least_days} days"
        )
    frozen = ", frozen" if state.frozen else ""
    return f"made {state.made_utc[:10]} from {state.clips} clips of {state.days} days{frozen}"


def _when(status: Status, moment: str) -> str:
    return f"{parse_iso(moment).astimezone(zone_named(status.zone)):%Y-%m-%d %H:%M %z}"


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"
