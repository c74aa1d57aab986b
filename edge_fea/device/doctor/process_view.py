"""What the kernel tells of a running process: files, sockets, networks."""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_fea.device.doctor.findings import Case
from edge_fea.device.pausing import pause_file

_ACCESS_MODE, _READ_ONLY = 0o3, 0o0
# What is no storage: cameras, their buffers, pins, terminals, and the usual sinks and sources.
DEVICES: Final = re.compile(
    r"^/dev/(video|media|v4l-subdev|gpiochip|tty|pts/|dma_heap/|dri/|vcio|vchiq|vcsm)|"
    r"^/dev/(null|zero|full|u?random)$"
)
NO_FILE: Final = ("pipe:", "anon_inode:", "/memfd:", "/dmabuf:", "/dev/dma_heap")
# Where the inode stands in a line of each table in /proc/PID/net.
_INODE_PLACE = {"unix": 6, "packet": 8}
_OTHER_PLACE = 9


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that a process holds open."""

    number: str
    target: str
    writable: bool
    kind: int | None
    """Its type, as in ``st_mode``; None where that cannot be asked."""

    @property
    def is_storage(self) -> bool:
        """Whether what is written there may be kept."""
        if self.target.startswith(("socket:", *NO_FILE)) or DEVICES.match(self.target):
            return False
        return self.kind is None or not stat.S_ISFIFO(self.kind)


def allowed_files(case: Case) -> re.Pattern[str]:
    """The files that the recording may write: numbers, locks and notes of its own."""
    # As the kernel tells it: absolute, and without symbolic links.
    store = case.settings.store
    database, trail = store.database.resolve(), store.audit.resolve()
    pause = pause_file(database)
    whole = [str(database) + end for end in ("", "-wal", "-shm", "-journal", ".lock")]
    whole += [str(trail), f"{trail}-journal", str(pause), str(database.parent / "starts.json")]
    notes = [f"{database.parent}/.{name}." for name in (pause.name, "starts.json")]
    options = [re.escape(each) for each in whole]
    options += [re.escape(each) + r"\d+\.partial" for each in notes]
    # The light, and what the kernel offers there: nothing that is kept.
    return re.compile("|".join([*options, r"/sys/.*/leds/.*", r"/proc/.*"]))


def opened_files(case: Case, pid: int) -> Iterator[Opened]:
    """What a process holds open. Raises PermissionError where this user may not look."""
    folder = f"/proc/{pid}/fd"
    for number in case.machine.names(folder):
        try:
            target = case.machine.link(f"{folder}/{number}")
        except FileNotFoundError:
            continue  # closed meanwhile
        flags = case.machine.fields(f"/proc/{pid}/fdinfo/{number}").get("flags", "0")
        try:
            kind = case.machine.at(f"{folder}/{number}").stat().st_mode
        except OSError:
            kind = None
        yield Opened(number, target, int(flags, 8) & _ACCESS_MODE != _READ_ONLY, kind)


def inodes(case: Case, pid: int, kind: str) -> Iterator[str]:
    """The sockets of one kind in the network that a process sees, and in the machine's own.

    A socket that the service manager has opened for a process, such as the one to the journal, is
    of the network that the manager sees.
    """
    place = _INODE_PLACE.get(kind, _OTHER_PLACE)
    for whose in (f"/proc/{pid}/net", "/proc/net", "/proc/1/net"):
        for line in lines_of(case, f"{whose}/{kind}")[1:]:
            words = line.split()
            if len(words) > place:
                yield words[place]


def interfaces(case: Case, pid: int) -> list[str]:
    """The network interfaces that a process sees."""
    lines = lines_of(case, f"/proc/{pid}/net/dev")
    return [line.partition(":")[0].strip() for line in lines[2:]]


def lines_of(case: Case, path: str) -> list[str]:
    """The lines of a small file, none where there is no such file."""
    return (case.machine.text(path) or "").splitlines()
