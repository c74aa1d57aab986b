"""Pausing the watching: pause."""

import re
from datetime import datetime, timedelta

import click

from edge_fea.capture.clock import Clock, SystemClock, boot_id, system_zone, zone_named
from edge_fea.cli.context import Options, pass_options
from edge_fea.config import Settings
from edge_fea.device.pausing import LONGEST_S, SHORTEST_S, Pauses, pause_file
from edge_fea.errors import NotAllowed, StoreUnwritable

_UNITS = {"s": 1, "m": 60, "h": 3600}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic only in newer clicks
    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        if not re.fullmatch(r"(\d+[hms])+", text):
            self.fail(f"{text!r} is no time such as 30m, 2h or 1h30m", param, ctx)
        seconds = float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)(\w)", text)))
        if not SHORTEST_S <= seconds <= LONGEST_S:
            self.fail(
                f"{text!r} must be {SHORTEST_S:g}s to {LONGEST_S / 3600:g}h: the device is for "
                "watching; switch it off for longer",
                param,
                ctx,
            )
        return seconds


@click.command()
@click.option("--for", "seconds", type=_Duration(), help="How long: 30m, 2h, 1h30m.")
@click.option(
    "--until",
    type=click.DateTime(["%H:%M"]),
    help="Until this time of the day, such as 14:00, the next time it comes.",
)
@click.option("--end", is_flag=True, help="End the pause.")
@pass_options
def pause(options: Options, seconds: float | None, until: datetime | None, end: bool) -> None:
    """Look at nothing for a while; without an option, tell whether a pause is on.

    A running service pauses at the next picture; without one, the pause is taken up by the next
    start. Clips count the time as paused.
    """
    if (seconds is not None) + (until is not None) + end > 1:
        raise click.UsageError("give one of --for, --until and --end")
    settings = options.settings()
    clock = SystemClock()
    file = pause_file(settings.store.database)
    pauses = Pauses(file, clock, boot_id(), fallback_s=60 * settings.indicator.pause_minutes)
    if until is not None:
        seconds = _seconds_until(until, settings, clock)
    try:
        if end:
            pauses.end()
        elif seconds is not None:
            pauses.begin(seconds)
        left = pauses.remaining()
    except OSError as error:
        raise StoreUnwritable(
            f"cannot use {file} ({error.strerror}): run this as the user who runs edge-fea, "
            "for example sudo -u edge-fea edge-fea pause"
        ) from error
    click.echo(told(left, clock, settings))


def _seconds_until(time: datetime, settings: Settings, clock: Clock) -> float:
    if not clock.synchronized():
        raise NotAllowed(
            "this device's clock has not been set, so it does not know when that is: "
            "use --for, such as --for 30m"
        )
    now = clock.now().astimezone(zone_named(settings.device.time_zone or system_zone()))
    wanted = now.replace(hour=time.hour, minute=time.minute, second=0, microsecond=0)
    if wanted <= now:
        wanted += timedelta(days=1)
    # Seconds that go by, also where the clocks change in between.
    seconds = wanted.timestamp() - now.timestamp()
    return min(LONGEST_S, max(SHORTEST_S, seconds))


def told(left: float, clock: Clock, settings: Settings) -> str:
    """How long a pause with ``left`` seconds lasts, and until when, where the time is known."""
    if left <= 0:
        return "not paused"
    minutes, seconds = divmod(round(left), 60)
    text = f"paused for another {minutes} min" if minutes else f"paused for another {seconds} s"
    if clock.synchronized():
        zone = zone_named(settings.device.time_zone or system_zone())
        ends = (clock.now() + timedelta(seconds=left)).astimezone(zone)
        text += f", until {ends:%H:%M}"
    return text
