"""The pause button: a press pauses, another one ends the pause."""

import logging
from typing import Any

from edge_fea.config import IndicatorSettings
from edge_fea.device.light_outputs import gpiozero_for, translated_pin_errors
from edge_fea.device.pausing import Pauses

# Contacts bounce for some milliseconds; a finger is never as quick as this.
_BOUNCE_S = 0.05

log = logging.getLogger("edge_fea")


class PauseButton:
    """A button between a pin (BCM number) and ground.

    The pause begins with the press, not with the release, so that the light answers the finger.
    Raises ConfigError where there is no gpiozero, or no such pin on this machine.
    """

    def __init__(self, settings: IndicatorSettings, pauses: Pauses) -> None:
        self._pauses = pauses
        self._seconds = 60 * settings.pause_minutes
        gpiozero = gpiozero_for("indicator.button_pin")
        with translated_pin_errors("indicator.button_pin", settings.button_pin):
            self._button: Any = gpiozero.Button(
                settings.button_pin, pull_up=True, bounce_time=_BOUNCE_S
            )
        self._button.when_pressed = self._pressed

    def close(self) -> None:
        """Listen no more; the pin is free again."""
        self._button.close()

    def _pressed(self) -> None:
        # On gpiozero's thread.
        try:
            if self._pauses.remaining() > 0:
                self._pauses.end()
                log.info("button: the pause is ended")
            else:
                self._pauses.begin(self._seconds)
                log.info("button: paused for %g minutes", self._seconds / 60)
        except OSError as error:
            log.warning("button: the pause would not last through a restart: %s", error)
