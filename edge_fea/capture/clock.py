"""The one place that reads clocks.

Durations and time-outs come from the monotonic clock. Wall time is UTC; it is kept together with
its offset, its zone and whether the system clock was synchronized, because a Pi has no battery
clock and its wall time jumps when the network (or nobody) sets it.
"""

import ctypes
import os
import time
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
UNKNOWN_BOOT = "unknown"
"""Stands for a boot that the kernel gives no id for."""


class Clock(Protocol):
    """What the device needs to know about time; tests pass their own."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        ...

    def synchronized(self) -> bool:
        """Whether wall time is known to be right."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds since some point in the past, unaffected by changes of the wall clock."""
        return time.monotonic()

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        return datetime.now(UTC)

    def synchronized(self) -> bool:
        """True once systemd-timesyncd, chrony or ntpd has set the clock since boot."""
        if _TIMESYNCD.exists():
            return True
        # glibc's struct timex is 208 bytes; modes = 0 (all zeros) only reads. A sandbox that
        # forbids the call answers -1, which is no proof of synchronization either.
        timex = ctypes.create_string_buffer(512)
        state: int = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
        return state not in (-1, _TIME_ERROR)

    def sleep(self, seconds: float) -> None:
        """Wait; nothing at all for zero or less."""
        if seconds > 0:
            time.sleep(seconds)


class RestoredClock:
    """A clock whose wall time goes on from the last moment known, where it started before it.

    A Pi without a battery clock can start with a wall time that lies before what it has recorded
    already. That moment was before this boot, and the monotonic clock counts from boot, so wall
    time is at least both together. That is what this clock says until wall time is later than
    that, or is synchronized, and so every process of one boot says the same.
    """

    def __init__(self, clock: Clock, last_known: datetime | None) -> None:
        """``last_known`` is a moment before this boot, None where there is none."""
        self._clock = clock
        self._last_known = last_known

    def behind(self) -> timedelta:
        """How much the machine's wall time lies before what it must at least be; 0 if it is not."""
        if self._last_known is None or self._clock.synchronized():
            return timedelta(0)
        at_least = self._last_known + timedelta(seconds=self._clock.monotonic())
        return max(timedelta(0), at_least - self._clock.now())

    def monotonic(self) -> float:
        """Seconds since boot."""
        return self._clock.monotonic()

    def now(self) -> datetime:
        """Wall time, aware, in UTC: the machine's, or the last moment known and what went by."""
        # Asked before wall time is read: what is read after a yes is right.
        behind = self.behind()
        return self._clock.now() + behind

    def synchronized(self) -> bool:
        """Whether the machine's wall time is known to be right."""
        return self._clock.synchronized()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)


def wall_of_boot(clock: Clock) -> datetime | None:
    """When ``clock`` stood at 0 on its monotonic side; None while wall time is not right.

    In this order: a clock that is set right between the questions gives None, never a wrong moment.
    """
    if not clock.synchronized():
        return None
    return clock.now() - timedelta(seconds=clock.monotonic())


def system_zone() -> str:
    """The IANA name of the machine's time zone, ``Etc/UTC`` where it has none."""
    for name in (os.environ.get("TZ", "").lstrip(":"), _localtime_link()):
        if name and _is_zone(name):
            return name
    return "Etc/UTC"


def zone_named(name: str) -> tzinfo:
    """The zone of an IANA name; UTC also on a machine that has no table of zones."""
    return UTC if name in ("Etc/UTC", "UTC") else ZoneInfo(name)


def _localtime_link() -> str:
    target = str(Path("/etc/localtime").resolve())
    return target.partition("/zoneinfo/")[2]


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def boot_id() -> str:
    """The kernel's id of this boot: monotonic times compare only within one boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return UNKNOWN_BOOT


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as stored: ``2026-11-22T18:04:05.123Z``."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_iso(text: str) -> datetime:
    """Read an ISO 8601 moment; one without an offset is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is beyond the calendar in UTC") from error


def local(start_utc: str, utc_offset: str) -> datetime:
    """A stored moment in local time, from its UTC and its offset such as ``+05:45``."""
    return parse_iso(start_utc).astimezone(_fixed(utc_offset))


@lru_cache
def _fixed(utc_offset: str) -> timezone:
    sign = -1 if utc_offset.startswith("-") else 1
    hours, minutes = utc_offset[1:].split(":")
    return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))


def local_date(start_utc: str, utc_offset: str) -> date:
    """The local date of a stored moment."""
    return local(start_utc, utc_offset).date()
