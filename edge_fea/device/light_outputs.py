"""What the light hangs on: the board's own through sysfs, a pin through gpiozero, or nothing."""

import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from edge_fea.config import IndicatorSettings
from edge_fea.errors import ConfigError

LEDS = Path("/sys/class/leds")
# The activity light of a Raspberry Pi; older kernels call it led0. The service may write no other
# (ReadWritePaths= of its unit, and the udev rule), and the settings name no other.
BOARD_LEDS = ("ACT", "led0")
# What drives it where nobody has changed that: every access to the SD card.
_USUAL_TRIGGER = "mmc0"


class LightOutput(Protocol):
    """A light that is on or off."""

    def set(self, on: bool) -> None:
        """Switch it. Raises OSError where the hardware fails."""
        ...

    def close(self) -> None:
        """Give it back as it was found."""
        ...


class NoLight:
    """No light at all."""

    def set(self, on: bool) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing to give back."""


class SysfsLight:
    """A light of the board, in a folder of /sys/class/leds.

    The kernel drives it by a trigger, for example at every access to the SD card. That is switched
    off while the light is held, and switched on again by ``close``; where it was off already, since
    whoever held the light last was killed, the usual one is. Raises OSError where the files are
    missing or may not be written.
    """

    def __init__(self, folder: Path) -> None:
        self._brightness = folder / "brightness"
        self._trigger = folder / "trigger"
        self._most = (folder / "max_brightness").read_text().strip()
        # The file lists all triggers; the one in force stands in brackets.
        words = self._trigger.read_text().split()
        self._former = next((word.strip("[]") for word in words if word.startswith("[")), "none")
        if self._former == "none" and _USUAL_TRIGGER in words:
            self._former = _USUAL_TRIGGER
        self._trigger.write_text("none")
        self.set(False)

    def set(self, on: bool) -> None:
        """Switch it; a light that can be dimmed shines as brightly as it can."""
        self._brightness.write_text(self._most if on else "0")

    def close(self) -> None:
        """Dark, and under the kernel's trigger again."""
        self.set(False)
        self._trigger.write_text(self._former)


class GpioLight:
    """A light on a pin (BCM number), from the pin over a resistor to ground.

    Raises ConfigError where there is no gpiozero, or no such pin on this machine.
    """

    def __init__(self, pin: int) -> None:
        gpiozero = gpiozero_for("indicator.kind = gpio")
        self._errors = _pin_errors()
        with translated_pin_errors("indicator.gpio_pin", pin):
            self._led = gpiozero.LED(pin)

    def set(self, on: bool) -> None:
        """Switch it."""
        try:
            self._led.value = on
        except self._errors as error:
            raise OSError(f"the pin failed: {error}") from error

    def close(self) -> None:
        """Dark, and the pin free again."""
        try:
            self.set(False)
        finally:
            self._led.close()


def open_light(
    settings: IndicatorSettings, warn: Callable[[str], None], leds: Path = LEDS
) -> LightOutput:
    """The light that the settings name.

    Raises ConfigError where a light that is asked for by kind cannot be had: recording without it
    would be recording unseen. With ``auto`` that is told once through ``warn``, and goes on.
    """
    if settings.kind == "none":
        return NoLight()
    if settings.kind == "gpio":
        return GpioLight(settings.gpio_pin)
    names = (settings.led,) if settings.led else BOARD_LEDS
    folder = next((leds / name for name in names if (leds / name).is_dir()), None)
    if folder is None:
        problem = f"there is no {' or '.join(names)} in {leds}"
    else:
        try:
            return SysfsLight(folder)
        except OSError as error:
            problem = f"{folder} cannot be used ({error.strerror})"
    if settings.kind == "sysfs":
        raise ConfigError(f"indicator.kind = sysfs: {problem}; allowed are auto, gpio and none too")
    warn(f"no light shows what the device does: {problem}")
    return NoLight()


def gpiozero_for(setting: str) -> Any:
    """The library for pins. Raises ConfigError, naming ``setting``, where it is not installed."""
    _give_lgpio_a_folder()
    try:
        return importlib.import_module("gpiozero")
    except ImportError as error:
        raise ConfigError(
            f"{setting} needs gpiozero ({error}): sudo apt install python3-gpiozero python3-lgpio, "
            "or pip install 'edge-fea[pi]'"
        ) from error


def _give_lgpio_a_folder() -> None:
    """lgpio, below gpiozero, makes a pipe in LG_WD, or else where it was started.

    The unit names a folder; whoever runs edge-fea by hand may stand where nothing can be made.
    """
    if "LG_WD" not in os.environ:
        folder = tempfile.mkdtemp(prefix="edge-fea-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["LG_WD"] = folder


@contextmanager
def translated_pin_errors(setting: str, pin: int) -> Iterator[None]:
    """Turn what goes wrong when a pin is opened into a ConfigError that names the setting."""
    try:
        yield
    except _pin_errors() as error:
        raise ConfigError(
            f"{setting}: pin {pin} cannot be used ({error}): check that nothing else uses it, and "
            "that this user is in the group gpio"
        ) from error


def _pin_errors() -> tuple[type[BaseException], ...]:
    kinds: list[type[BaseException]] = [importlib.import_module("gpiozero").GPIOZeroError, OSError]
    # The usual library below gpiozero raises its own, which has no class in common.
    with suppress(ImportError):
        kinds.append(importlib.import_module("lgpio").error)
    return tuple(kinds)
