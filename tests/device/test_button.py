"""The pause button, on a mock pin."""

from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from edge_fea.config import IndicatorSettings
from edge_fea.device.button import PauseButton
from edge_fea.device.pausing import Pauses
from edge_fea.errors import ConfigError
from tests.conftest import FakeClock

SETTINGS = IndicatorSettings(button_pin=4, pause_minutes=20)


@pytest.fixture
def pauses(tmp_path: Path, clock: FakeClock) -> Pauses:
    return Pauses(tmp_path / "pause", clock, "boot", fallback_s=60)


def press(pins: MockFactory) -> None:
    # The button connects its pin, which is pulled up, to ground.
    pins.pin(4).drive_low()
    pins.pin(4).drive_high()


def test_a_press_pauses_and_another_one_ends_it(
    pins: MockFactory, pauses: Pauses, clock: FakeClock
) -> None:
    button = PauseButton(SETTINGS, pauses)
    press(pins)
    assert pauses.remaining() == pytest.approx(20 * 60)
    clock.time += 60
    press(pins)
    assert not pauses.active()
    press(pins)
    assert pauses.remaining() == pytest.approx(20 * 60)
    button.close()


def test_the_pause_begins_with_the_press(pins: MockFactory, pauses: Pauses) -> None:
    button = PauseButton(SETTINGS, pauses)
    pins.pin(4).drive_low()
    assert pauses.active()
    button.close()


def test_contacts_that_bounce_are_one_press(pins: MockFactory, pauses: Pauses) -> None:
    button = PauseButton(SETTINGS, pauses)
    assert pins.pin(4).bounce == 0.05
    assert pins.pin(4).pull == "up"
    button.close()


def test_it_works_where_the_disk_is_full(
    pins: MockFactory, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_fea.device.pausing.write_atomically", full)
    button = PauseButton(SETTINGS, pauses)
    press(pins)
    assert pauses.active()
    press(pins)
    assert not pauses.active()
    button.close()


def test_a_pin_that_is_in_use_is_named(pins: MockFactory, pauses: Pauses) -> None:
    button = PauseButton(SETTINGS, pauses)
    with pytest.raises(ConfigError, match=r"indicator\.button_pin: pin 4 cannot be used"):
        PauseButton(SETTINGS, pauses)
    button.close()


def test_without_gpiozero_the_package_is_named(
    pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gpiozero", None)
    with pytest.raises(ConfigError, match=r"button_pin needs gpiozero .*python3-gpiozero"):
        PauseButton(SETTINGS, pauses)
