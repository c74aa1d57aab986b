"""What a recording has around it on a device: systemd, the light, pauses, former failures."""

import logging
import os
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from edge_fea.capture.clock import Clock, boot_id
from edge_fea.capture.frame import Frame
from edge_fea.config import Settings
from edge_fea.device.button import PauseButton
from edge_fea.device.indicator import Indicator, LightRequests
from edge_fea.device.light_outputs import LightOutput, NoLight, open_light
from edge_fea.device.lights import PAUSED, SEEN, SIGN_OF_ADVICE, UNSEEN, UNWRITTEN, sign_of_error
from edge_fea.device.notifying import Notifier
from edge_fea.device.pausing import Pauses, pause_file
from edge_fea.device.placing import Placing
from edge_fea.device.starts import SOUND_AFTER_S, History, Starts
from edge_fea.device.stopping import StopRequest
from edge_fea.errors import ConfigError, StoreError
from edge_fea.vision.observation import Observation, Outcome

# A face that is lost for a moment does not make the light twitch.
_SEEN_FOR_S = 3.0
# A database of years on a slow card, rescued or brought up to date.
_LONGEST_OPENING_S = 1800.0
_WAIT_AT_ONCE_S = 5.0

log = logging.getLogger("edge_fea")


class Service:
    """Goes along with one run of the recorder: entered before it, left after it.

    ``wrong`` is what is wrong with the settings, where something is; ``settings`` are then the
    defaults, for the light. The run is waited for, and refused, in ``wait_until_due``: so a device
    with a wrong setting shows that, and does not restart as fast as it can.
    """

    def __init__(self, settings: Settings, clock: Clock, wrong: ConfigError | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._wrong = wrong
        boot = boot_id()
        indicator, capture, store = settings.indicator, settings.capture, settings.store
        self.pauses = Pauses(
            pause_file(store.database), clock, boot, fallback_s=60 * indicator.pause_minutes
        )
        self._notifier = Notifier(
            clock, least_watchdog_s=capture.timeout_s + store.busy_timeout_s + 10.0
        )
        self._starts = Starts.of_service(os.environ, boot)
        # Longer than that no frame can fail to come without the recording's end.
        self._stale_s = capture.timeout_s + store.busy_timeout_s + 5.0
        self._trouble_for_s = 2 * settings.clip.checkpoint_s + store.busy_timeout_s
        self._troubled_until = 0.0
        # The monotonic clock begins with the boot.
        self._placing = Placing(60 * indicator.placement_minutes, capture.frame_rate)
        self._seen_at: float | None = None
        self._began: float | None = None
        self._sound = False
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        if self._starts is not None:
            self._starts.begin()
        self._parts.callback(self._notifier.close)
        self.indicator = Indicator(
            self._open_light(),
            self._clock,
            requests=LightRequests(self._settings.indicator.requests, self._clock),
            stale_s=self._stale_s,
        )
        self._parts.enter_context(self.indicator)
        self.indicator.start()
        self._open_button()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._notifier.stopping()
        if self._starts is not None:
            if error is None:
                self._starts.stopped()
            else:
                self._starts.failed(sign_of_error(error))
        self._parts.close()

    def wait_until_due(self, stop: StopRequest) -> bool:
        """Wait as long as former failures ask for; False when a stop was asked for meanwhile.

        The light shows the last failure. Raises ConfigError where the settings are wrong.
        """
        history = self._starts.history if self._starts is not None else History()
        left, last = history.wait_s, history.last
        if left > 0 and last is not None:
            self.indicator.insist(last)
            log.warning(
                "%d starts in a row have failed, the last one because %s: waiting %g s",
                len(history.failures),
                last.means,
                left,
            )
        while left > 0 and not stop.requested:
            wait = min(left, _WAIT_AT_ONCE_S)
            self._notifier.extend()
            self._notifier.status(f"trying again in {left:.0f} s")
            stop.interruptible(lambda wait=wait: self._clock.sleep(wait))  # type: ignore[misc]
            left -= wait
        self.indicator.insist(None)
        if not stop.requested and self._wrong is not None:
            raise self._wrong
        return not stop.requested

    def opening(self) -> AbstractContextManager[None]:
        """While the database is opened, which can take minutes after a damage or an upgrade."""
        self._notifier.status("opening the database")
        return self._notifier.extending(_LONGEST_OPENING_S)

    def paused(self, _: float) -> bool:
        """Whether watching is paused now (a hook of the recorder)."""
        return self.pauses.active()

    def troubled(self, error: StoreError) -> None:
        """A clip could not be written yet (a hook of the recorder)."""
        log.warning("not written yet, kept in memory: %s", error)
        self._troubled_until = self._clock.monotonic() + self._trouble_for_s

    def recorded(self, observation: Observation) -> Observation:
        """What is written down of an observation (a hook of the recorder)."""
        return self._placing.recorded(observation, self._clock.monotonic())

    def observed(self, frame: Frame, observation: Observation) -> None:
        """Show what became of a frame (a hook of the recorder)."""
        now = self._clock.monotonic()
        if observation.outcome is Outcome.PAUSED:
            self.indicator.show(PAUSED)
            left = self.pauses.remaining()
            self._notifier.status(f"paused for another {max(1, round(left / 60))} min")
            return
        if observation.outcome is Outcome.VALID:
            self._seen_at = frame.monotonic
        seen = self._seen_at is not None and frame.monotonic - self._seen_at <= _SEEN_FOR_S
        sign = SEEN if seen else UNSEEN
        words = sign.means
        advice = self._placing.advice(frame, observation, now)
        if advice is not None:
            sign, words = SIGN_OF_ADVICE[advice], f"placing: {advice}"
        if now < self._troubled_until:
            sign, words = UNWRITTEN, UNWRITTEN.means
        self.indicator.show(sign)
        self._notifier.status(words)

    def ended(self) -> None:
        """The recording has ended as somebody wanted; a camera that does not let go may follow.

        That ends the process on the spot (``leaving``): what is to be known of the end is said now,
        and the light no longer shows that it watches.
        """
        if self._starts is not None:
            self._starts.stopped()
        self.indicator.close()

    def progress(self, _: float) -> None:
        """A frame was handled (a hook of the recorder)."""
        now = self._clock.monotonic()
        self._notifier.progress()
        self._began = now if self._began is None else self._began
        if not self._sound and now - self._began >= SOUND_AFTER_S and self._starts is not None:
            self._sound = True
            self._starts.sound()

    def _open_light(self) -> LightOutput:
        try:
            return open_light(self._settings.indicator, log.warning)
        except ConfigError as error:
            self._wrong = self._wrong or error
            return NoLight()

    def _open_button(self) -> None:
        if self._settings.indicator.button_pin < 0:
            return
        try:
            button = PauseButton(self._settings.indicator, self.pauses)
        except ConfigError as error:
            self._wrong = self._wrong or error
        else:
            self._parts.callback(button.close)
