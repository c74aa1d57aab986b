"""Tells systemd how the service is doing (sd_notify), where systemd started it."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sdnotify

from edge_fea.capture.clock import Clock

# Often enough for any watchdog of a few seconds, seldom enough to cost nothing.
_WATCHDOG_EVERY_S = 1.0
# The manager is asked for so much more time, this often, while something slow is under way.
_EXTEND_BY_S, _EXTEND_EVERY_S = 30.0, 10.0

log = logging.getLogger("edge_fea")


class Notifier:
    """Says that the service is ready, alive, slow or stopping; does nothing outside a service.

    ``least_watchdog_s`` is for how long the service may, by its settings, rightly wait for a camera
    or a database: where the unit's watchdog is shorter it is made that long.
    """

    def __init__(self, clock: Clock, *, least_watchdog_s: float = 0.0) -> None:
        self._clock = clock
        self._least_watchdog_s = least_watchdog_s
        self._status = ""
        self._ready = False
        self._fed_at = -_WATCHDOG_EVERY_S
        self._failed = False
        self._systemd: Any = None
        if os.environ.get("NOTIFY_SOCKET"):
            self._systemd = sdnotify.SystemdNotifier(debug=True)
            # A manager that hangs must not hang the service.
            self._systemd.socket.settimeout(1.0)

    @property
    def in_service(self) -> bool:
        """Whether a service manager listens."""
        return self._systemd is not None

    def progress(self) -> None:
        """A frame was handled, or why there is none was recorded. The first makes it ready."""
        now = self._clock.monotonic()
        if not self._ready:
            self._ready = True
            self._send("READY=1", *self._longer_watchdog())
        elif now - self._fed_at < _WATCHDOG_EVERY_S:
            return
        self._fed_at = now
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for people who ask systemctl; sent when it changes."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def extend(self, seconds: float = _EXTEND_BY_S) -> None:
        """Ask for so much more time for what is under way: starting or stopping."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    @contextmanager
    def extending(self, at_most_s: float) -> Iterator[None]:
        """Ask for more time again and again while the block runs, for at most so long.

        For a database that is rescued or brought up to date: it can take minutes in which nothing
        of ours runs.
        """
        if not self.in_service:
            yield
            return
        done = threading.Event()

        def ask() -> None:
            for _ in range(int(at_most_s / _EXTEND_EVERY_S)):
                self.extend()
                if done.wait(_EXTEND_EVERY_S):
                    return

        thread = threading.Thread(target=ask, name="extending", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def close(self) -> None:
        """Nothing more is said."""
        if self._systemd is not None:
            self._systemd.socket.close()
            self._systemd = None

    def _longer_watchdog(self) -> tuple[str, ...]:
        unit = int(os.environ.get("WATCHDOG_USEC", "0"))
        least = round(self._least_watchdog_s * 1e6)
        return (f"WATCHDOG_USEC={least}",) if 0 < unit < least else ()

    def _send(self, *lines: str) -> None:
        if self._systemd is None:
            return
        try:
            # sdnotify sends Latin-1; a status with anything else must not cost the watchdog.
            self._systemd.notify("\n".join(lines).encode("ascii", "replace").decode())
        except OSError as error:
            if not self._failed:
                log.warning("systemd cannot be told how the service is doing: %s", error)
            self._failed = True
