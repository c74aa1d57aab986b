"""Clocks: what is stored of a moment, where the zone comes from, which boot this is."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.capture import clock as clocks
from edge_fea.capture.clock import (
    RestoredClock,
    SystemClock,
    boot_id,
    iso,
    parse_iso,
    system_zone,
    wall_of_boot,
)
from tests.conftest import NOON, FakeClock

YEARS = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1))  # noqa: DTZ001
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_a_moment_is_stored_in_utc_with_milliseconds_and_a_z() -> None:
    berlin = datetime(2026, 11, 22, 19, 4, 5, 123_999, tzinfo=ZoneInfo("Europe/Berlin"))
    assert iso(berlin) == "2026-11-22T18:04:05.123Z"


@given(YEARS, OFFSETS)
def test_a_stored_moment_reads_back_to_the_millisecond(local: datetime, zone: timezone) -> None:
    moment = local.replace(tzinfo=zone, microsecond=local.microsecond // 1000 * 1000)
    assert parse_iso(iso(moment)) == moment


@given(st.lists(YEARS, min_size=2))
def test_stored_moments_sort_as_text_in_the_order_of_time(moments: list[datetime]) -> None:
    ordered = sorted(moment.replace(tzinfo=UTC) for moment in moments)
    texts = [iso(moment) for moment in ordered]
    assert texts == sorted(texts)


def test_a_moment_without_an_offset_is_taken_as_utc() -> None:
    assert parse_iso("2026-11-22T18:00") == datetime(2026, 11, 22, 18, tzinfo=UTC)


def test_a_moment_with_an_offset_is_turned_into_utc() -> None:
    moment = parse_iso("2026-11-22T18:00+01:00")
    assert (moment.hour, moment.tzinfo) == (17, UTC)


def test_a_day_alone_is_its_first_moment() -> None:
    assert parse_iso("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "22.11.2026", "2026-13-01"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_iso(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-01:00"])
def test_a_moment_that_utc_cannot_hold_is_refused_like_any_other_bad_one(text: str) -> None:
    with pytest.raises(ValueError):
        parse_iso(text)


def test_the_zone_comes_from_tz_where_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert system_zone() == "Asia/Tokyo"


def test_the_zone_comes_from_etc_localtime_where_tz_is_no_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST")
    monkeypatch.setattr(clocks, "_localtime_link", lambda: "Europe/Madrid")
    assert system_zone() == "Europe/Madrid"


@pytest.mark.parametrize("link", ["", "No/Such", "../../etc/passwd"])
def test_a_machine_without_a_zone_is_on_utc(monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(clocks, "_localtime_link", lambda: link)
    assert system_zone() == "Etc/UTC"


def test_the_machines_zone_is_one_that_zoneinfo_knows() -> None:
    assert ZoneInfo(system_zone())


def test_the_boot_id_is_the_kernels_and_stays_the_same() -> None:
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_kernel_without_a_boot_id_makes_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert boot_id() == "unknown"


def test_the_system_clock_is_aware_utc_and_its_monotonic_time_never_falls() -> None:
    system = SystemClock()
    first, now, second = system.monotonic(), system.now(), system.monotonic()
    assert second >= first
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("seconds", [-1.0, 0.0])
def test_sleeping_for_nothing_or_less_returns_at_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(clocks.time, "sleep", lambda _: pytest.fail("slept"))
    SystemClock().sleep(seconds)


def test_sleeping_waits_for_the_seconds_given() -> None:
    system = SystemClock()
    began = system.monotonic()
    system.sleep(0.02)
    assert system.monotonic() - began >= 0.02


def test_timesyncd_says_that_the_clock_is_synchronized(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "synchronized").touch()
    monkeypatch.setattr(clocks, "_TIMESYNCD", tmp_path / "synchronized")
    assert SystemClock().synchronized() is True


@pytest.mark.parametrize(("state", "right"), [(0, True), (5, False), (-1, False)])
def test_without_timesyncd_the_kernel_says_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: int, right: bool
) -> None:
    class Libc:
        @staticmethod
        def adjtimex(timex: object) -> int:
            return state

    monkeypatch.setattr(clocks, "_TIMESYNCD", tmp_path / "none")
    monkeypatch.setattr(clocks.ctypes, "CDLL", lambda *_, **__: Libc)
    assert SystemClock().synchronized() is right


def test_asking_the_kernel_itself_answers_yes_or_no(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clocks, "_TIMESYNCD", tmp_path / "none")
    assert SystemClock().synchronized() in (True, False)


def test_a_clock_that_starts_before_what_was_recorded_goes_on_from_there(clock: FakeClock) -> None:
    # Started 1000 s after boot; the last clip ended three hours after what the clock says.
    clock.right = False
    restored = RestoredClock(clock, NOON + timedelta(hours=3))
    assert restored.now() == NOON + timedelta(hours=3, seconds=1000)
    assert restored.behind() == timedelta(hours=3, seconds=1000)
    assert restored.synchronized() is False


def test_two_processes_of_one_boot_restore_the_same_time(clock: FakeClock) -> None:
    clock.right = False
    last_known = NOON + timedelta(days=1)
    first = RestoredClock(clock, last_known).now()
    clock.time += 60
    clock.wall += timedelta(seconds=60)
    assert RestoredClock(clock, last_known).now() == first + timedelta(seconds=60)


def test_a_restored_clock_is_the_machines_once_that_is_synchronized(clock: FakeClock) -> None:
    clock.right = False
    restored = RestoredClock(clock, NOON + timedelta(hours=3))
    clock.right = True
    assert restored.now() == NOON
    assert restored.behind() == timedelta(0)


def test_a_machines_clock_that_is_set_beyond_the_restored_time_holds(clock: FakeClock) -> None:
    clock.right = False
    restored = RestoredClock(clock, NOON + timedelta(hours=3))
    clock.wall = NOON + timedelta(days=40)
    assert restored.now() == NOON + timedelta(days=40)


@given(st.floats(0, 1e7), st.integers(-(10**8), 10**8))
def test_a_restored_clock_never_says_less_than_what_is_known(up: float, away: int) -> None:
    machine = FakeClock(time=up, wall=NOON + timedelta(seconds=away), right=False)
    assert RestoredClock(machine, NOON).now() >= NOON + timedelta(seconds=up)


def test_without_anything_recorded_the_machines_clock_holds(clock: FakeClock) -> None:
    clock.right = False
    assert RestoredClock(clock, None).now() == NOON


def test_a_restored_clock_sleeps_and_counts_as_the_machine_does(clock: FakeClock) -> None:
    restored = RestoredClock(clock, NOON)
    restored.sleep(2.5)
    assert (clock.slept, restored.monotonic()) == ([2.5], 1002.5)


def test_the_boot_is_dated_only_by_a_clock_that_is_right(clock: FakeClock) -> None:
    assert wall_of_boot(clock) == NOON - timedelta(seconds=1000)
    clock.right = False
    assert wall_of_boot(clock) is None
