"""The section [indicator]: the light and the button."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge_fea.config.section import Section, number, text

# GPIO 0 and 1 are for the boards that are put on top; 28 and above are not on the header.
_FIRST_PIN, _LAST_PIN = 2, 27


class IndicatorSettings(Section):
    """The light that tells what the device does, the pause and its button."""

    kind: Annotated[
        Literal["auto", "sysfs", "gpio", "none"],
        Field(
            description="Which light: the board's own (sysfs), one on a pin, none; auto: the "
            "board's own, if any."
        ),
    ] = "auto"
    led: Annotated[
        str,
        text(
            r"^(ACT|led0)?$",
            # A power light is on from the first moment: it would look like watching.
            "ACT or led0, the board's activity light, or empty; use kind gpio for another lamp",
            "The board's light below /sys/class/leds; empty: ACT, or led0.",
        ),
    ] = ""
    gpio_pin: Annotated[
        int, number(-1, _LAST_PIN, "Pin (BCM number) of a light of kind gpio; -1: none.")
    ] = -1
    button_pin: Annotated[
        int, number(-1, _LAST_PIN, "Pin (BCM number) of the pause button, to ground; -1: none.")
    ] = -1
    pause_minutes: Annotated[
        float, number(1, 1440, "Minutes that a press of the button pauses for.")
    ] = 30.0
    placement_minutes: Annotated[
        float,
        number(0, 60, "Minutes after power-on in which the light helps to place the device."),
    ] = 10.0
    requests: Annotated[
        Path, Field(description="Where other programs ask for a light, such as the USB export.")
    ] = Path("/run/edge-fea/light")

    @model_validator(mode="after")
    def _pins_fit(self) -> Self:
        for name in ("gpio_pin", "button_pin"):
            pin = getattr(self, name)
            if 0 <= pin < _FIRST_PIN:
                raise ValueError(
                    f"indicator.{name} must be {_FIRST_PIN} to {_LAST_PIN}, or -1 for none, "
                    f"not {pin}"
                )
        if self.kind == "gpio" and self.gpio_pin < 0:
            raise ValueError("indicator.gpio_pin is needed with indicator.kind gpio")
        if 0 <= self.gpio_pin == self.button_pin:
            raise ValueError(
                f"indicator.gpio_pin and indicator.button_pin are both {self.gpio_pin}: the light "
                "and the button need a pin each"
            )
        return self
