"""A fake board: a light in a fake sysfs, and gpiozero's mock pins; settings that use it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from edge_fea.config import ClipSettings, IndicatorSettings, Settings, StoreSettings
from edge_fea.device.indicator import Indicator
from edge_fea.device.lights import Step
from tests.conftest import FakeClock


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    """gpiozero's mock pins, in place of the machine's."""
    former, gpiozero.Device.pin_factory = gpiozero.Device.pin_factory, MockFactory()
    yield gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory.reset()
    gpiozero.Device.pin_factory = former


@pytest.fixture
def leds(tmp_path: Path) -> Path:
    """A fake /sys/class/leds with the activity light of a Raspberry Pi."""
    folder = tmp_path / "leds" / "ACT"
    folder.mkdir(parents=True)
    (folder / "max_brightness").write_text("255\n")
    (folder / "brightness").write_text("0\n")
    (folder / "trigger").write_text("none rc-feedback timer heartbeat [mmc0] mmc1\n")
    return folder.parent


@pytest.fixture
def settings(tmp_path: Path, pins: MockFactory) -> Settings:
    """A light on pin 17, a button on pin 4."""
    return Settings(
        store=StoreSettings(database=tmp_path / "a.db"),
        clip=ClipSettings(length_s=60, development=True),
        indicator=IndicatorSettings(
            kind="gpio", gpio_pin=17, button_pin=4, requests=tmp_path / "light"
        ),
    )


def is_lit(leds: Path) -> bool:
    """Whether the fake board's light is on."""
    return (leds / "ACT" / "brightness").read_text() == "255"


def recorded(
    indicator: Indicator, clock: FakeClock, seconds: float, lit: Callable[[], bool]
) -> list[Step]:
    """What a light did in so many seconds: on or off, and for how long, one after the other."""
    steps: list[Step] = []
    ends = clock.time + seconds
    while clock.time < ends - 1e-6:
        wait = indicator.tick()
        assert wait > 0
        on = lit()
        if steps and steps[-1][0] == on:
            steps[-1] = (on, steps[-1][1] + wait)
        else:
            steps.append((on, wait))
        clock.time += wait
    return [(on, round(duration, 3)) for on, duration in steps]


def merged(steps: tuple[Step, ...]) -> list[Step]:
    """Steps with equal neighbours put together."""
    found: list[Step] = []
    for on, seconds in steps:
        if found and found[-1][0] == on:
            found[-1] = (on, round(found[-1][1] + seconds, 3))
        else:
            found.append((on, round(seconds, 3)))
    return found
