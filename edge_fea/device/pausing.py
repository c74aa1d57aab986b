"""Pauses: nothing is looked at until a moment, whoever asked for it, and across a restart.

A pause is a small file beside the database. It ends at a moment of the monotonic clock, so that
wall time may jump as it likes. That clock begins anew at every boot, so the file also says how much
is left, and the running service writes that down again every minute. After a reboot the pause is
taken up with what was left then: it is never dropped, and it is longer than asked for by a minute
at most, not counting the time in which the device was off.
"""

import json
import logging
import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_fea.capture.clock import Clock
from edge_fea.device.atomic_file import remove, write_atomically

SHORTEST_S, LONGEST_S = 10.0, 86_400.0
"""Bounds of a pause, seconds."""

_NOTE_EVERY_S = 60.0

log = logging.getLogger("edge_fea")


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that has not ended."""

    ends: float
    """Moment on this boot's monotonic clock."""

    foreign: bool = False
    """Whether it was read from a file of another boot, or of one that cannot be understood."""


def pause_file(database: Path) -> Path:
    """Where the pauses of the recording into ``database`` are kept."""
    return database.with_name(f"{database.name}.pause")


class Pauses:
    """The pause in force, if there is one. Any number of programs may hold one of these.

    ``boot`` is this boot's id. ``fallback_s`` is how long a pause is taken to last whose file
    cannot be understood: then somebody had wanted one. The file is only replaced where ``boot``
    changed or time has gone by, and only by ``active``, which the service calls.
    """

    def __init__(self, path: Path, clock: Clock, boot: str, *, fallback_s: float) -> None:
        self._path = path
        self._clock = clock
        self._boot = boot
        self._fallback_s = fallback_s
        self._lock = threading.Lock()
        self._pause: Pause | None = None
        self._seen: tuple[int, int] | None = None
        self._noted_at = 0.0
        self._unsaved = False
        self._blind = False

    def remaining(self) -> float:
        """Seconds of pause that are left; 0 where there is none. Changes nothing."""
        with self._lock:
            self._look()
            return self._left()

    def active(self) -> bool:
        """Whether watching is paused now; keeps the file up to date. For the service."""
        with self._lock:
            try:
                self._look()
            except OSError as error:
                # A card that fails must end neither the recording nor a pause.
                if not self._blind:
                    log.warning("%s cannot be looked at: %s", self._path, error)
                self._blind = True
            if self._pause is None:
                return False
            if self._left() <= 0:
                self._end()
                return False
            due = self._clock.monotonic() - self._noted_at >= _NOTE_EVERY_S
            if due or self._pause.foreign:
                self._keep(self._pause.ends)
            return True

    def begin(self, seconds: float) -> None:
        """Pause for so long from now, in place of a pause that is running.

        Raises ValueError outside the bounds, and OSError where the file cannot be written; the
        pause holds in this process even then.
        """
        if not SHORTEST_S <= seconds <= LONGEST_S:
            raise ValueError(
                f"a pause lasts {SHORTEST_S:g} s to {LONGEST_S / 3600:g} h, not {seconds:g} s"
            )
        with self._lock:
            self._pause = Pause(self._clock.monotonic() + seconds)
            self._unsaved = True
            self._write(self._pause.ends)

    def end(self) -> None:
        """End the pause. Raises OSError where the file cannot be removed."""
        with self._lock:
            self._pause, self._unsaved = None, False
            remove(self._path)
            self._seen = None

    def _left(self) -> float:
        if self._pause is None:
            return 0.0
        return min(LONGEST_S, max(0.0, self._pause.ends - self._clock.monotonic()))

    def _look(self) -> None:
        """Take notice of a file that another process has written or removed."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            # Where a pause could not be written, that there is no file says nothing.
            if not self._unsaved:
                self._pause, self._seen = None, None
            return
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._pause, self._seen, self._unsaved = self._read(), seen, False
            self._noted_at = self._clock.monotonic()

    def _read(self) -> Pause:
        now = self._clock.monotonic()
        try:
            kept: Any = json.loads(self._path.read_text(encoding="utf-8"))
            same_boot = kept["boot"] == self._boot != "unknown"
            left = float(kept["ends"]) - now if same_boot else float(kept["left"])
            if not math.isfinite(left):
                raise ValueError(f"{left} seconds are left")  # noqa: TRY301
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "%s cannot be understood (%s): paused for %g minutes, to be on the safe side",
                self._path,
                error,
                self._fallback_s / 60,
            )
            return Pause(now + self._fallback_s, foreign=True)
        return Pause(now + min(left, LONGEST_S), foreign=not same_boot)

    def _end(self) -> None:
        self._pause, self._unsaved = None, False
        try:
            remove(self._path)
            self._seen = None
        except OSError as error:
            # An ended pause that stays on the disk is over all the same.
            log.warning("%s cannot be removed: %s", self._path, error)

    def _keep(self, ends: float) -> None:
        try:
            self._write(ends)
        except OSError as error:
            log.warning("the pause would be lost with a restart, %s: %s", self._path, error)
            self._noted_at = self._clock.monotonic()
            self._pause = Pause(ends)

    def _write(self, ends: float) -> None:
        now = self._clock.monotonic()
        kept = {"boot": self._boot, "ends": round(ends, 3), "left": round(ends - now, 3)}
        write_atomically(self._path, json.dumps(kept) + "\n")
        stat = self._path.stat()
        self._seen = (stat.st_mtime_ns, stat.st_ino)
        self._pause, self._noted_at, self._unsaved = Pause(ends), now, False
