"""From when to when: the options --from and --to, which mean the same in every command."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import click

from edge_fea.capture.clock import system_zone, zone_named
from edge_fea.config import Settings


class _LocalDay(click.ParamType):  # type: ignore[type-arg]  # generic only in newer clicks
    name = "day"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        if isinstance(value, date):
            return value
        text = str(value)
        try:
            found = _day_or_moment(text)
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-11-22, nor a moment of it", param, ctx)
        if not 1970 <= found.year < 2200:
            self.fail(f"{value!r} must lie between 1970 and 2200", param, ctx)
        return found


def _day_or_moment(text: str) -> date:
    """A day in any of ISO 8601's spellings, or a moment. Raises ValueError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


_DAY = _LocalDay()
_FROM = click.option("--from", "first", type=_DAY, help="First day (2026-11-01), or a moment.")
_TO = click.option("--to", "last", type=_DAY, help="Last day, which is included, or a moment.")


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --from and --to, as the arguments ``first`` and ``last``."""
    return _FROM(_TO(command))


def span(
    first: date | None, last: date | None, settings: Settings
) -> tuple[datetime | None, datetime | None]:
    """When a span begins and when it has ended, in UTC; None is unbounded.

    Days are those of the patient's time zone, and both are included. A moment is taken as it is,
    in that zone unless it has an offset. Raises UsageError where the span is empty.
    """
    zone = zone_named(settings.device.time_zone or system_zone())
    start = None if first is None else _begin_of(first, zone)
    if last is not None and not isinstance(last, datetime):
        last += timedelta(days=1)
    end = None if last is None else _begin_of(last, zone)
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from must lie before --to")
    return start, end


def _begin_of(value: date, zone: tzinfo) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), zone)
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
