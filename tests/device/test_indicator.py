"""The light, recorded on a fake sysfs and on mock pins, against the list of signs."""

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from edge_fea.config import IndicatorSettings
from edge_fea.device.indicator import MOST_REQUESTED_S, Indicator, LightRequests
from edge_fea.device.light_outputs import BOARD_LEDS, LEDS, NoLight, SysfsLight, open_light
from edge_fea.device.lights import (
    CAMERA_MISSING,
    CAMERA_STALLED,
    PAUSED,
    REQUESTABLE,
    SEEN,
    SIGNS,
    STARTING,
    UNSEEN,
    USB_BUSY,
    USB_DONE,
    Sign,
)
from edge_fea.errors import ConfigError
from tests.conftest import FakeClock
from tests.device.conftest import is_lit, merged, recorded

REPOSITORY = Path(__file__).parents[2]

by_name = pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)


def refuse(text: str) -> None:
    raise AssertionError(text)


@by_name
def test_the_boards_light_does_what_the_list_says(sign: Sign, leds: Path, clock: FakeClock) -> None:
    light = open_light(IndicatorSettings(), refuse, leds)
    with Indicator(light, clock, stale_s=1e9) as indicator:
        indicator.show(sign)
        lit = recorded(indicator, clock, 2 * sign.period, lambda: is_lit(leds))
    assert lit == merged(sign.steps * 2)


@by_name
def test_a_light_on_a_pin_does_what_the_list_says(
    sign: Sign, pins: MockFactory, clock: FakeClock
) -> None:
    light = open_light(IndicatorSettings(kind="gpio", gpio_pin=17), refuse)
    pin = pins.pin(17)
    with Indicator(light, clock, stale_s=1e9) as indicator:
        indicator.show(sign)
        lit = recorded(indicator, clock, 2 * sign.period, lambda: bool(pin.state))
        levels = [state.state for state in pin.states]
    assert lit == merged(sign.steps * 2)
    # The pin itself remembers every change: there was none but these.
    expected = [on for on, _ in merged(sign.steps * 2)]
    assert levels == [False, *expected] or levels == expected


def test_the_kernel_gets_its_light_back(leds: Path, clock: FakeClock) -> None:
    with Indicator(SysfsLight(leds / "ACT"), clock) as indicator:
        indicator.show(SEEN)
        indicator.tick()
        assert (leds / "ACT" / "trigger").read_text() == "none"
    assert (leds / "ACT" / "trigger").read_text() == "mmc0"
    assert not is_lit(leds)


def test_a_pin_is_free_again(pins: MockFactory, clock: FakeClock) -> None:
    settings = IndicatorSettings(kind="gpio", gpio_pin=17)
    for _ in range(2):
        with Indicator(open_light(settings, refuse), clock) as indicator:
            indicator.show(SEEN)
            indicator.tick()
            assert pins.pin(17).state
    assert not pins.pin(17).state


def test_older_kernels_call_it_led0(leds: Path) -> None:
    (leds / "ACT").rename(leds / "led0")
    light = open_light(IndicatorSettings(), refuse, leds)
    light.set(True)
    assert (leds / "led0" / "brightness").read_text() == "255"


def test_of_two_names_the_one_in_the_settings_counts(leds: Path) -> None:
    (leds / "led0").mkdir()
    for file in ("brightness", "trigger", "max_brightness"):
        (leds / "led0" / file).write_text((leds / "ACT" / file).read_text())
    open_light(IndicatorSettings(kind="sysfs", led="led0"), refuse, leds).set(True)
    assert (leds / "led0" / "brightness").read_text() == "255"
    assert not is_lit(leds)


def test_the_unit_and_udev_let_every_light_be_written_that_the_settings_can_name() -> None:
    unit = (REPOSITORY / "systemd" / "edge-fea.service").read_text()
    (paths,) = re.findall(r"^ReadWritePaths=(.+)$", unit, re.M)
    assert paths.split() == [f"-{LEDS / name}" for name in BOARD_LEDS]
    rule = (REPOSITORY / "deploy" / "udev" / "60-edge-fea-led.rules").read_text()
    (names,) = re.findall(r'KERNEL=="([^"]+)"', rule)
    assert names.split("|") == list(BOARD_LEDS)
    for name in BOARD_LEDS:
        assert IndicatorSettings(led=name).led == name


def test_a_light_that_was_left_by_a_killed_process_gets_its_usual_trigger_back(
    leds: Path, clock: FakeClock
) -> None:
    (leds / "ACT" / "trigger").write_text("[none] rc-feedback timer heartbeat mmc0 mmc1\n")
    SysfsLight(leds / "ACT").close()
    assert (leds / "ACT" / "trigger").read_text() == "mmc0"


def test_a_light_without_the_usual_trigger_stays_without(leds: Path) -> None:
    (leds / "ACT" / "trigger").write_text("[none] timer heartbeat\n")
    SysfsLight(leds / "ACT").close()
    assert (leds / "ACT" / "trigger").read_text() == "none"


def test_without_a_light_auto_says_so_once_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    assert isinstance(open_light(IndicatorSettings(), said.append, tmp_path), NoLight)
    (text,) = said
    assert "no ACT or led0" in text


def test_a_light_that_was_asked_for_and_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no ACT or led0 in .*allowed are auto, gpio and none"):
        open_light(IndicatorSettings(kind="sysfs"), refuse, tmp_path)


def test_a_light_that_may_not_be_written_is_named(leds: Path) -> None:
    (leds / "ACT" / "trigger").unlink()
    with pytest.raises(ConfigError, match="ACT cannot be used"):
        open_light(IndicatorSettings(kind="sysfs"), refuse, leds)


def test_a_pin_that_is_in_use_is_named(pins: MockFactory) -> None:
    settings = IndicatorSettings(kind="gpio", gpio_pin=17)
    light = open_light(settings, refuse)
    with pytest.raises(ConfigError, match=r"indicator\.gpio_pin: pin 17 cannot be used"):
        open_light(settings, refuse)
    light.close()


def test_lgpio_gets_a_private_folder_for_its_pipe(
    pins: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LG_WD", "")  # so that it is as it was afterwards
    monkeypatch.delenv("LG_WD")
    open_light(IndicatorSettings(kind="gpio", gpio_pin=17), refuse).close()
    folder = Path(os.environ["LG_WD"])
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_folder_that_the_unit_gives_lgpio_stays(
    pins: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LG_WD", "/run/edge-fea")
    open_light(IndicatorSettings(kind="gpio", gpio_pin=17), refuse).close()
    assert os.environ["LG_WD"] == "/run/edge-fea"


def test_none_is_none(tmp_path: Path) -> None:
    assert isinstance(open_light(IndicatorSettings(kind="none"), refuse, tmp_path), NoLight)


def test_it_begins_with_starting(clock: FakeClock) -> None:
    assert Indicator(NoLight(), clock).sign() is STARTING


def test_a_new_sign_is_shown_at_once(leds: Path, clock: FakeClock) -> None:
    with Indicator(SysfsLight(leds / "ACT"), clock) as indicator:
        indicator.show(PAUSED)
        indicator.tick()
        assert not is_lit(leds)
        indicator.show(SEEN)
        indicator.tick()
        assert is_lit(leds)


def test_watching_that_is_not_shown_anew_is_no_longer_true(clock: FakeClock) -> None:
    indicator = Indicator(NoLight(), clock, stale_s=15)
    indicator.show(SEEN)
    clock.time += 15
    assert indicator.sign() is SEEN
    clock.time += 1
    assert indicator.sign() is CAMERA_STALLED
    indicator.show(SEEN)
    assert indicator.sign() is SEEN


def test_what_is_insisted_on_goes_above_all(clock: FakeClock) -> None:
    indicator = Indicator(NoLight(), clock)
    indicator.show(SEEN)
    indicator.insist(CAMERA_MISSING)
    assert indicator.sign() is CAMERA_MISSING
    indicator.insist(None)
    assert indicator.sign() is SEEN


def test_a_light_that_breaks_is_told_once_and_recording_goes_on(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(NoLight):
        def set(self, on: bool) -> None:
            raise OSError("no such device")

    with Indicator(Broken(), clock) as indicator:
        for _ in range(5):
            clock.time += indicator.tick()
    assert caplog.text.count("the light has failed") == 1


def test_the_thread_drives_it_and_ends(leds: Path, clock: FakeClock) -> None:
    indicator = Indicator(SysfsLight(leds / "ACT"), clock)
    indicator.show(SEEN)
    indicator.start()
    while not is_lit(leds):
        pass
    indicator.close()
    assert (leds / "ACT" / "trigger").read_text() == "mmc0"


def test_another_program_can_ask_for_a_sign(tmp_path: Path, clock: FakeClock) -> None:
    asked = LightRequests(tmp_path / "light", clock)
    indicator = Indicator(NoLight(), clock, requests=LightRequests(tmp_path / "light", clock))
    indicator.show(UNSEEN)
    asked.ask(USB_BUSY, 60)
    assert indicator.sign() is USB_BUSY
    asked.ask(USB_DONE, 30)
    assert indicator.sign() is USB_DONE
    asked.withdraw()
    assert indicator.sign() is UNSEEN


@pytest.mark.parametrize("sign", [PAUSED, STARTING, CAMERA_MISSING], ids=lambda sign: sign.name)
@pytest.mark.parametrize("asked", REQUESTABLE, ids=lambda sign: sign.name)
def test_a_stick_does_not_hide_that_nothing_is_looked_at(
    sign: Sign, asked: Sign, tmp_path: Path, clock: FakeClock
) -> None:
    requests = LightRequests(tmp_path / "light", clock)
    indicator = Indicator(NoLight(), clock, requests=requests)
    indicator.show(SEEN)
    requests.ask(asked, 600)
    assert indicator.sign() is asked
    indicator.show(sign)
    assert indicator.sign() is sign
    indicator.show(SEEN)
    assert indicator.sign() is asked


def test_a_stick_does_not_hide_a_camera_that_stalls(tmp_path: Path, clock: FakeClock) -> None:
    requests = LightRequests(tmp_path / "light", clock)
    indicator = Indicator(NoLight(), clock, requests=requests, stale_s=15)
    indicator.show(SEEN)
    requests.ask(USB_DONE, 600)
    clock.time += 16
    assert indicator.sign() is CAMERA_STALLED


def test_a_program_that_dies_holds_the_light_only_for_a_while(
    tmp_path: Path, clock: FakeClock
) -> None:
    requests = LightRequests(tmp_path / "light", clock)
    requests.ask(USB_BUSY)
    clock.time += MOST_REQUESTED_S - 1
    assert requests.current() is USB_BUSY
    clock.time += 1
    assert requests.current() is None


@pytest.mark.parametrize("seconds", [0, MOST_REQUESTED_S + 1, 1e9])
def test_a_light_for_longer_is_refused_and_not_cut(
    seconds: float, tmp_path: Path, clock: FakeClock
) -> None:
    with pytest.raises(ValueError, match="at most 600 s at a time"):
        LightRequests(tmp_path / "light", clock).ask(USB_BUSY, seconds)


def until(holds: Callable[[], bool]) -> None:
    """Waits for another thread, for ten seconds at most."""
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_what_takes_long_keeps_its_light_and_not_for_ever(tmp_path: Path, clock: FakeClock) -> None:
    requests = LightRequests(tmp_path / "light", clock)
    with LightRequests(tmp_path / "light", clock).asking(USB_BUSY, 1800, again_s=0.01):
        for _ in range(6):
            clock.time += 299
            until(lambda: requests.current() is USB_BUSY)
        clock.time += 10
        assert requests.current() is None
    # Whoever comes next is not undone.
    requests.ask(USB_DONE)
    assert requests.current() is USB_DONE


def test_a_light_that_cannot_be_asked_for_keeps_nothing_from_being_done(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    done = False
    with LightRequests(tmp_path / "none" / "light", clock).asking(USB_BUSY, 60):
        done = True
    assert done
    assert caplog.text.count("cannot be asked for usb-busy") == 1


def test_a_sign_of_not_watching_cannot_be_asked_for(tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="paused cannot be asked for; allowed are usb-busy"):
        LightRequests(tmp_path / "light", clock).ask(PAUSED, 60)
    (tmp_path / "light").write_text("paused 1010\n")
    assert LightRequests(tmp_path / "light", clock).current() is None


@pytest.mark.parametrize("text", ["", "usb-busy", "usb-busy soon", "usb-busy 1e9", "\0\xff 1010"])
def test_a_request_that_makes_no_sense_is_left_alone(
    text: str, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "light").write_text(text)
    requests = LightRequests(tmp_path / "light", clock)
    with caplog.at_level(logging.WARNING):
        assert requests.current() is None
        assert requests.current() is None
    assert caplog.text.count("left alone") == 1


def test_a_request_is_there_whole_or_not_at_all(tmp_path: Path, clock: FakeClock) -> None:
    LightRequests(tmp_path / "light", clock).ask(USB_BUSY, 60)
    assert [path.name for path in tmp_path.iterdir()] == ["light"]
