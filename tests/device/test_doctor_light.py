"""The doctor on the light: whether people in the room can see what the device does."""

from pathlib import Path

import pytest

from edge_fea.device.doctor.findings import State, Verdict
from edge_fea.device.doctor.light import light
from tests.device.doctor_case import PID, Made

FREE = "none timer [mmc0] mmc1"
HELD = "[none] timer mmc0 mmc1"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def board(made: Made, trigger: str = FREE, *, mode: int = 0o666, name: str = "ACT") -> None:
    for file, text in (("brightness", "0"), ("trigger", trigger)):
        made.put(f"/sys/class/leds/{name}/{file}", text).chmod(mode)


@pytest.mark.parametrize("name", ["ACT", "led0"])
def test_the_boards_own_light_is_named(made: Made, name: str) -> None:
    board(made, name=name)
    assert light(made.case()) == Verdict(State.OK, f"the board's own ({name})")


@pytest.mark.parametrize(("kind", "state"), [("auto", State.WARN), ("sysfs", State.BAD)])
def test_a_machine_without_a_light_records_unseen(made: Made, kind: str, state: State) -> None:
    made.settings["indicator.kind"] = kind
    board(made, name="PWR")
    told = light(made.case())
    assert told.state is state
    assert told.what.startswith("nothing shows what the device does: there is no ACT or led0")
    assert "indicator.kind = gpio" in told.todo


@pytest.mark.parametrize(("kind", "state"), [("auto", State.WARN), ("sysfs", State.BAD)])
def test_a_light_that_the_service_may_not_write_is_none(
    made: Made, kind: str, state: State
) -> None:
    made.settings["indicator.kind"] = kind
    made.unit(User="nobody")
    board(made, mode=0o644)
    told = light(made.case())
    assert (told.state, "ACT is not for nobody" in told.what) == (state, True)
    assert "udevadm trigger" in told.todo


def test_a_light_that_the_recording_does_not_hold_shows_nothing(made: Made) -> None:
    made.hold_lock()
    board(made)
    told = light(made.case())
    assert (told.state, f"process {PID} records" in told.what) == (State.WARN, True)
    board(made, HELD)
    assert light(made.case()).state is State.OK


def test_no_light_by_choice_is_said(made: Made) -> None:
    made.settings["indicator.kind"] = "none"
    told = light(made.case())
    assert (told.state, "nobody in the room sees" in told.what) == (State.OK, True)


def test_a_lamp_needs_pins_that_the_service_may_use(made: Made) -> None:
    made.settings |= {"indicator.kind": "gpio", "indicator.gpio_pin": 17}
    made.unit(User="nobody")
    assert "no pins" in light(made.case()).what
    chip = made.put("/dev/gpiochip0", "")
    chip.chmod(0o660)
    told = light(made.case())
    assert (told.state, "usermod -aG gpio nobody" in told.todo) == (State.BAD, True)
    chip.chmod(0o666)
    assert light(made.case()) == Verdict(State.OK, "a lamp on pin 17")
