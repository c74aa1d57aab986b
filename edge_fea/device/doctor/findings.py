"""What a check says, and what it is given."""

import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from edge_fea.capture.clock import Clock
from edge_fea.config import Settings
from edge_fea.device.doctor.machine import Machine

UNIT = "edge-fea.service"
# Asked of the service manager once, for all checks.
_PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "NRestarts", "MainPID"),
    *("ControlGroup", "PrivateNetwork", "IPAddressDeny", "RestrictAddressFamilies"),
    *("ProtectSystem", "ProtectHome", "NoNewPrivileges", "CapabilityBoundingSet"),
    *("MemorySwapMax", "LimitCORE", "User", "SupplementaryGroups"),
)


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says."""

    state: State
    what: str
    todo: str = ""
    """What to do, where the state is not ``ok``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict and the check that it is from."""

    name: str
    state: State
    what: str
    todo: str = ""


@dataclass
class Case:
    """The device that is examined."""

    settings: Settings
    machine: Machine
    clock: Clock
    boot: str
    check_s: float | None = 5.0
    """Seconds that the database's check may take; None lets it run to its end."""

    looks: int = 8
    """How often the running process is looked at."""

    pause_s: float = 0.25
    """Seconds between two looks."""

    @cached_property
    def unit(self) -> dict[str, str]:
        """What the service manager says of the service; empty where there is none to ask."""
        text = self.machine.ask("systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}")
        pairs = (line.partition("=") for line in (text or "").splitlines())
        return {name: value for name, equals, value in pairs if equals}

    @cached_property
    def recorder(self) -> int | None:
        """The process that records into the database: who holds its lock. None without one."""
        database = self.settings.store.database
        path = database.with_name(database.name + ".lock")
        try:
            lock = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        place = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
        held = [line.split() for line in (self.machine.text("/proc/locks") or "").splitlines()]
        holders = {int(words[4]): words[5] for words in held if words[1] == "FLOCK"}
        exact = [pid for pid, where in holders.items() if where == place]
        # On overlayfs and btrfs stat() gives another device than the kernel's list of locks.
        found = exact or [pid for pid in holders if self._opens(pid, path.resolve())]
        return found[0] if found else None

    def _opens(self, pid: int, path: Path) -> bool:
        folder = f"/proc/{pid}/fd"
        try:
            return any(
                self.machine.link(f"{folder}/{number}") == str(path)
                for number in self.machine.names(folder)
            )
        except OSError:
            # Another user's process, or one that has ended: then it is not the one.
            return False


def ok(what: str) -> Verdict:
    """All is well."""
    return Verdict(State.OK, what)


def warn(what: str, todo: str) -> Verdict:
    """It works, but not for ever or not as meant."""
    return Verdict(State.WARN, what, todo)


def bad(what: str, todo: str) -> Verdict:
    """It does not work, or a promise is broken."""
    return Verdict(State.BAD, what, todo)


def unknown(what: str, todo: str = "") -> Verdict:
    """It could not be found out."""
    return Verdict(State.UNKNOWN, what, todo)
