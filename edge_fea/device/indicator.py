"""Keeps the light blinking as the signs say, beside the recording."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_fea.capture.clock import Clock
from edge_fea.device.atomic_file import write_atomically
from edge_fea.device.light_outputs import LightOutput
from edge_fea.device.lights import BY_NAME, CAMERA_STALLED, REQUESTABLE, STARTING, Sign, Step

# A program that asked for a sign and died must not hold the light for longer.
MOST_REQUESTED_S = 600.0
# No sign's step is waited for longer than this before what is to be shown is looked at again.
_LONGEST_WAIT_S = 0.5

log = logging.getLogger("edge_fea")


class Indicator:
    """Shows one sign at a time on a light.

    The one that ``insist`` names goes above all, then the one that ``show`` names. A sign of
    watching that has not been shown anew for ``stale_s`` seconds is no longer true, and gives way
    to the sign of a camera that gives no pictures. What another program asks for stands in for a
    sign of watching and for no other: a USB stick must not hide that nothing is looked at.

    ``start`` runs it on a thread of its own; tests call ``tick`` themselves.
    """

    def __init__(
        self,
        light: LightOutput,
        clock: Clock,
        *,
        requests: "LightRequests | None" = None,
        stale_s: float = 15.0,
    ) -> None:
        self._light = light
        self._clock = clock
        self._requests = requests
        self._stale_s = stale_s
        self._insisted: Sign | None = None
        # One tuple, so that the thread never sees a new sign with an old time.
        self._wanted = (STARTING, clock.monotonic())
        self._sign: Sign | None = None
        self._step = 0
        self._until = 0.0
        self._on: bool | None = None
        self._failed = False
        self._wake = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def show(self, sign: Sign) -> None:
        """Show ``sign`` until told otherwise."""
        changed = sign is not self._wanted[0]
        self._wanted = (sign, self._clock.monotonic())
        if changed:
            self._wake.set()

    def insist(self, sign: Sign | None) -> None:
        """Show ``sign`` above all others; None ends that."""
        self._insisted = sign
        self._wake.set()

    def sign(self) -> Sign:
        """What is to be shown now."""
        if self._insisted is not None:
            return self._insisted
        wanted, since = self._wanted
        if not wanted.watching:
            return wanted
        if self._clock.monotonic() - since > self._stale_s:
            return CAMERA_STALLED
        asked = self._requests.current() if self._requests else None
        return wanted if asked is None else asked

    def tick(self) -> float:
        """Bring the light up to date; the seconds until it should be done again."""
        now = self._clock.monotonic()
        sign = self.sign()
        if sign is not self._sign:
            self._sign, self._step = sign, 0
            self._begin(sign.steps[0], now)
        elif now >= self._until - 1e-6:
            self._step = (self._step + 1) % len(sign.steps)
            self._begin(sign.steps[self._step], now)
        return min(_LONGEST_WAIT_S, max(0.0, self._until - now))

    def start(self) -> None:
        """Tick on a thread of its own until ``close``."""
        self._thread = threading.Thread(target=self._run, name="indicator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and give the light back as it was found. Once is enough; twice does no harm."""
        if self._ending:
            return
        self._ending = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _LONGEST_WAIT_S)
            self._thread = None
        try:
            self._light.close()
        except OSError as error:
            self._tell_once(error)

    def _run(self) -> None:
        while not self._ending:
            wait = self.tick()
            self._wake.wait(wait)
            self._wake.clear()

    def _begin(self, step: Step, now: float) -> None:
        on, seconds = step
        self._until = now + seconds
        if on is self._on:
            return
        self._on = on
        try:
            self._light.set(on)
        except OSError as error:
            self._tell_once(error)

    def _tell_once(self, error: OSError) -> None:
        # Recording goes on: a light that breaks months after it was checked is no reason to lose
        # what a patient's day was like.
        if not self._failed:
            log.error("the light has failed (%s): what it shows is not to be trusted", error)
        self._failed = True


class LightRequests:
    """Signs that other programs ask for, for a bounded time, through one small file.

    The file holds a sign's name and the monotonic moment at which it ends: ``usb-busy 5123.5``.
    It lies in a folder that every boot begins empty (/run).
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._sign: Sign | None = None
        self._ends = 0.0

    def current(self) -> Sign | None:
        """The sign that is asked for now."""
        try:
            stat = self._path.stat()
        except OSError:  # there is none, or it is no longer this user's to see
            self._seen = self._sign = None
            return None
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._seen = seen
            self._sign, self._ends = self._read()
        return self._sign if self._clock.monotonic() < self._ends else None

    def ask(self, sign: Sign, seconds: float = MOST_REQUESTED_S) -> None:
        """Ask for ``sign`` for so many seconds, at most ten minutes; ask again for more.

        Raises OSError where the file cannot be written, ValueError for a sign that is not to be
        asked for, or for so long.
        """
        if sign not in REQUESTABLE:
            names = ", ".join(each.name for each in REQUESTABLE)
            raise ValueError(f"the sign {sign.name} cannot be asked for; allowed are {names}")
        if not 0 < seconds <= MOST_REQUESTED_S:
            raise ValueError(
                f"a sign is shown for at most {MOST_REQUESTED_S:g} s at a time, not {seconds:g} s: "
                "ask again"
            )
        ends = self._clock.monotonic() + seconds
        write_atomically(self._path, f"{sign.name} {ends:.3f}\n", sync=False)

    @contextmanager
    def asking(self, sign: Sign, at_most_s: float, *, again_s: float = 60.0) -> Iterator[None]:
        """Ask for ``sign`` anew every ``again_s`` seconds while the block runs, up to a limit.

        For what can take longer than one request holds. The last request holds on after the block,
        until its end or the next one. A file that cannot be written is told in the log, once.
        """
        done = threading.Event()
        ends = self._clock.monotonic() + at_most_s

        def renew() -> None:
            while (left := ends - self._clock.monotonic()) > 0:
                try:
                    self.ask(sign, min(left, MOST_REQUESTED_S))
                except OSError as error:
                    log.warning("the light cannot be asked for %s: %s", sign.name, error)
                    return
                if done.wait(again_s):
                    return

        thread = threading.Thread(target=renew, name="asking for a light", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            # What is asked for next must not be undone by a request that was under way.
            thread.join()

    def withdraw(self) -> None:
        """Ask for nothing any more."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> tuple[Sign | None, float]:
        try:
            name, _, ends = self._path.read_text(encoding="utf-8").strip().partition(" ")
            moment = float(ends)
        except (OSError, ValueError) as error:
            log.warning("%s is not a request for a light (%s): left alone", self._path, error)
            return None, 0.0
        sign = _requestable().get(name)
        if sign is None or moment > self._clock.monotonic() + MOST_REQUESTED_S:
            log.warning("%s asks for what is not allowed: left alone", self._path)
            return None, 0.0
        return sign, moment


def _requestable() -> Mapping[str, Sign]:
    return {name: sign for name, sign in BY_NAME.items() if sign in REQUESTABLE}
