"""What became of former starts of the service: how long to wait, and when to ask for a reboot.

systemd starts the service again after every end; it does not know the reasons. A camera that
stalls is back after one start; one that a process in an uninterruptible sleep still holds is back
only after a reboot; one whose cable is loose is not back at all, and must not make the device
reboot for ever. So the service keeps, in two small files, how it ended the last times.

A process that a stop ended before it could say so, while its camera was being opened, is told from
one that crashed by systemd, which knows what it wanted: the unit's ExecStopPost= leaves a file.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from edge_fea.device.atomic_file import write_atomically
from edge_fea.device.lights import BY_NAME, CAMERA_MISSING, CAMERA_STALLED, FAULT, Sign

# Seconds before the next start after so many failures in a row; then always the last.
BACK_OFF_S = (0.0, 0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
# After so many failures in a row, one of them of a kind that a reboot can mend, and as long as
# there were fewer reboots without a sound run after them.
FAILURES_BEFORE_REBOOT, MOST_REBOOTS = 6, 2
# A run that has handled frames for so long makes all failures before it history.
SOUND_AFTER_S = 600.0

_MENDED_BY_REBOOT = {sign.name for sign in (CAMERA_STALLED, CAMERA_MISSING, FAULT)}
_MOST_KEPT = 20

log = logging.getLogger("edge_fea")


@dataclass(frozen=True, slots=True)
class History:
    """How the last starts ended."""

    boot: str = ""
    """The boot that this is about."""

    running: bool = False
    """Whether a start has not yet said how it ended."""

    failures: tuple[str, ...] = ()
    """The signs of the failures in a row, the latest last."""

    reboots: int = 0
    """Reboots that were asked for since the last sound run."""

    asked: bool = False
    """Whether one was asked for in this boot."""

    @property
    def last(self) -> Sign | None:
        """The latest failure's sign."""
        return BY_NAME.get(self.failures[-1]) if self.failures else None

    @property
    def wait_s(self) -> float:
        """Seconds to wait before the next start."""
        return BACK_OFF_S[min(len(self.failures), len(BACK_OFF_S) - 1)]

    @property
    def wants_reboot(self) -> bool:
        """Whether starting again has been tried often enough."""
        return (
            not self.asked
            and len(self.failures) >= FAILURES_BEFORE_REBOOT
            and self.reboots < MOST_REBOOTS
            and not _MENDED_BY_REBOOT.isdisjoint(self.failures)
        )

    def begun(self, boot: str) -> "History":
        """A start begins in ``boot``; one that never said how it ended was killed, or crashed."""
        if boot != self.boot:
            # The plug was pulled, or somebody rebooted: that is no failure.
            return History(boot, running=True, reboots=self.reboots)
        return self.failed(FAULT.name, still=True) if self.running else replace(self, running=True)

    def failed(self, sign: str, *, still: bool = False) -> "History":
        """A start has ended with the failure that ``sign`` names."""
        return replace(self, running=still, failures=(*self.failures, sign)[-_MOST_KEPT:])


def last_failures(file: Path) -> tuple[Sign, ...]:
    """The failures in a row that a service's ``file`` tells of, the latest last; for others."""
    history = _read(file)
    return tuple(BY_NAME[name] for name in history.failures if name in BY_NAME)


class Starts:
    """Keeps the history in ``file``, and asks for a reboot by making ``reboot``.

    Beside that lies ``stopped`` where systemd says that the last end was a stop.
    """

    def __init__(self, file: Path, reboot: Path, boot: str) -> None:
        self._file = file
        self._reboot = reboot
        self._stopped = reboot.with_name("stopped")
        self._boot = boot
        self.history = _read(file)

    @classmethod
    def of_service(cls, environment: Mapping[str, str], boot: str) -> Self | None:
        """Those of the service, where systemd gave it its folders; None outside a service."""
        state, runtime = environment.get("STATE_DIRECTORY"), environment.get("RUNTIME_DIRECTORY")
        if not (state and runtime and environment.get("NOTIFY_SOCKET")):
            return None
        return cls(Path(state) / "starts.json", Path(runtime) / "reboot", boot)

    def begin(self) -> History:
        """A start begins; what came before it."""
        if self._stopped.exists():
            self.stopped()
            self._stopped.unlink()
        self._keep(self.history.begun(self._boot))
        return self.history

    def failed(self, sign: Sign) -> bool:
        """This start has failed; whether a reboot was asked for."""
        history = self.history.failed(sign.name)
        if not history.wants_reboot:
            self._keep(history)
            return False
        self._keep(replace(history, reboots=history.reboots + 1, asked=True))
        try:
            self._reboot.write_text(f"{sign.name}\n")
        except OSError as error:
            log.error("a reboot would help, but cannot be asked for: %s", error)  # noqa: TRY400
            return False
        log.error("%d starts in a row have failed: asking for a reboot", len(history.failures))
        return True

    def stopped(self) -> None:
        """This start was ended by somebody who wanted it."""
        self._keep(replace(self.history, running=False, failures=()))

    def sound(self) -> None:
        """This start has run well for long enough."""
        self._keep(replace(self.history, failures=(), reboots=0))

    def _keep(self, history: History) -> None:
        if history == self.history:
            return
        self.history = history
        try:
            write_atomically(self._file, json.dumps(asdict(history)) + "\n")
        except OSError as error:
            log.warning("%s cannot be written: %s", self._file, error)


def _read(file: Path) -> History:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return History(
            str(kept["boot"]),
            bool(kept["running"]),
            tuple(str(name) for name in kept["failures"]),
            int(kept["reboots"]),
            bool(kept["asked"]),
        )
    except FileNotFoundError:
        return History()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be understood, and is begun anew: %s", file, error)
        return History()
