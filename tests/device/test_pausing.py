"""Pauses: on the monotonic clock, across processes, restarts and reboots."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.device.pausing import LONGEST_S, Pauses, pause_file
from tests.conftest import FakeClock

FALLBACK_S = 1800.0


def pauses(folder: Path, clock: FakeClock, boot: str = "one") -> Pauses:
    return Pauses(pause_file(folder / "a.db"), clock, boot, fallback_s=FALLBACK_S)


def test_a_pause_lasts_as_long_as_it_was_asked_for(tmp_path: Path, clock: FakeClock) -> None:
    mine = pauses(tmp_path, clock)
    assert not mine.active()
    mine.begin(600)
    clock.time += 599
    assert mine.active()
    assert mine.remaining() == pytest.approx(1)
    clock.time += 1
    assert not mine.active()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(hours=5)])
def test_a_jump_of_wall_time_changes_nothing(
    jump: timedelta, tmp_path: Path, clock: FakeClock
) -> None:
    mine = pauses(tmp_path, clock)
    mine.begin(600)
    clock.wall += jump
    clock.time += 599
    assert mine.active()
    clock.time += 1
    assert not mine.active()


def test_another_process_can_pause_and_end(tmp_path: Path, clock: FakeClock) -> None:
    service, command = pauses(tmp_path, clock), pauses(tmp_path, clock)
    assert not service.active()
    command.begin(600)
    assert service.active()
    command.end()
    assert not service.active()


def test_a_new_pause_takes_the_place_of_the_one_before(tmp_path: Path, clock: FakeClock) -> None:
    service, command = pauses(tmp_path, clock), pauses(tmp_path, clock)
    command.begin(600)
    assert service.active()
    command.begin(60)
    assert service.remaining() == pytest.approx(60)


def test_a_pause_lasts_through_a_restart_of_the_service(tmp_path: Path, clock: FakeClock) -> None:
    pauses(tmp_path, clock).begin(600)
    clock.time += 100
    again = pauses(tmp_path, clock)
    assert again.active()
    assert again.remaining() == pytest.approx(500)


def test_a_pause_asked_for_without_a_service_holds_at_its_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    pauses(tmp_path, clock).begin(600)
    assert pauses(tmp_path, clock).active()


@given(ran=st.floats(0, 590), uptime=st.floats(0, 1e6))
def test_a_reboot_neither_drops_a_pause_nor_makes_it_longer_by_more_than_a_minute(
    ran: float, uptime: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, clock = tmp_path_factory.mktemp("pause"), FakeClock(time=uptime)
    before = pauses(folder, clock)
    before.begin(600)
    ends = clock.time + ran
    while clock.time < ends:
        assert before.active()
        clock.time = min(ends, clock.time + 5)
    clock.time = 40.0  # booted anew
    after = pauses(folder, clock, boot="two")
    assert after.active()
    left = after.remaining()
    assert 600 - ran - 1e-3 <= left <= 600 - ran + 65
    clock.time += left + 1e-3
    assert not after.active()


def test_after_a_reboot_the_pause_is_on_this_boots_clock(tmp_path: Path, clock: FakeClock) -> None:
    pauses(tmp_path, clock).begin(600)
    clock.time = 30.0
    assert pauses(tmp_path, clock, boot="two").active()
    clock.time = 430.0
    again = pauses(tmp_path, clock, boot="two")
    assert again.active()
    assert again.remaining() == pytest.approx(200)


def test_a_reader_takes_nothing_up(tmp_path: Path, clock: FakeClock) -> None:
    pauses(tmp_path, clock).begin(600)
    before = pause_file(tmp_path / "a.db").read_text()
    assert pauses(tmp_path, clock, boot="two").remaining() == pytest.approx(600)
    assert pause_file(tmp_path / "a.db").read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"boot": "one"}',
        '{"boot": "one", "ends": "soon", "left": 1}',
        '{"boot": "two", "ends": 1, "left": NaN}',
    ],
)
def test_a_file_that_cannot_be_understood_is_a_pause(
    text: str, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    pause_file(tmp_path / "a.db").write_text(text)
    mine = pauses(tmp_path, clock)
    assert mine.active()
    assert mine.remaining() == pytest.approx(FALLBACK_S)
    assert "to be on the safe side" in caplog.text
    # Written anew, it does not begin again with each start.
    clock.time += FALLBACK_S - 1
    assert pauses(tmp_path, clock).remaining() == pytest.approx(1)


def test_a_file_cannot_ask_for_more_than_a_day(tmp_path: Path, clock: FakeClock) -> None:
    kept = {"boot": "one", "ends": 1e12, "left": 1e12}
    pause_file(tmp_path / "a.db").write_text(json.dumps(kept))
    assert pauses(tmp_path, clock).remaining() == LONGEST_S
    assert pauses(tmp_path, clock, boot="two").remaining() == LONGEST_S


@pytest.mark.parametrize("seconds", [0, 9, LONGEST_S + 1, float("nan")])
def test_a_pause_has_bounds(seconds: float, tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="a pause lasts 10 s to 24 h, not"):
        pauses(tmp_path, clock).begin(seconds)


def test_a_pause_that_cannot_be_written_holds_all_the_same(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The button must work on a full disk."""
    mine = pauses(tmp_path, clock)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_fea.device.pausing.write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        mine.begin(600)
    for _ in range(10):
        clock.time += 59
        assert mine.active()
    clock.time += 11
    assert not mine.active()


def test_a_card_that_cannot_be_read_changes_nothing(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = pauses(tmp_path, clock)
    mine.begin(600)

    def broken(self: Path, **_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", broken)
        assert mine.active()
    mine.end()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", broken)
        assert not mine.active()


def test_without_an_id_of_the_boot_a_former_boot_is_assumed(
    tmp_path: Path, clock: FakeClock
) -> None:
    pauses(tmp_path, clock, boot="unknown").begin(600)
    clock.time = 1e6
    assert pauses(tmp_path, clock, boot="unknown").remaining() == pytest.approx(600)
