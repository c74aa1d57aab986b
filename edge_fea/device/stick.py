"""A USB stick: looked at, mounted, filled, read back, unmounted. Only what needs root.

Anybody may plug in any stick. Nothing of it is read but its label, its numbers, its free space and
which of the device's own packs are still there, by name. Nothing on it is executed; files are only
ever added, by a process without privileges.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_fea.clinic.outlet import digest, translated_output
from edge_fea.errors import NotAllowed, NotFoundError, OutputDamaged, OutputFull, OutputUnwritable

FILE_SYSTEMS = {
    # vfat and exFAT know no owners: all files belong to whoever may write the pack.
    "vfat": "flush,umask=0077,uid={uid},gid={gid}",
    "exfat": "umask=0077,uid={uid},gid={gid}",
    "ext4": "",
}
"""File systems that sticks may have, with their own mount options."""

# Nothing on the stick may run, be a device, raise rights, or lead elsewhere by a symbolic link.
_SAFE = "nodev,nosuid,noexec,nosymfollow,noatime"
# A pack of a month is some 7 MB; a stick with less than this is full.
LEAST_FREE = 32 << 20
UNKNOWN = "unknown"
_COMMAND_TIMEOUT_S = 60.0
_LONGEST_NAME = 64

Run = Callable[[Sequence[str]], str]
"""Runs a command and gives its standard output; raises OutputUnwritable where it fails."""


@dataclass(frozen=True, slots=True)
class Stick:
    """What a stick says of itself, as blkid and udev read it."""

    device: Path
    label: str
    file_system: str
    serial: str
    """Of the stick, ``unknown`` without one; letters, digits and ``._-`` only."""

    volume: str
    """The number (UUID) that its file system got when the stick was formatted, likewise."""

    @property
    def who(self) -> str:
        """Its name in the audit trail. Cheap sticks share serial numbers, so it has both."""
        return f"stick:{self.serial}/{self.volume}"


def run_command(command: Sequence[str]) -> str:
    """Run a system command. Raises OutputUnwritable with what it said, also after a minute."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise OutputUnwritable(
            f"{command[0]} did not end within {_COMMAND_TIMEOUT_S:.0f} s: the stick is broken"
        ) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        reason = said[0] if said else f"exit code {error.returncode}"
        raise OutputUnwritable(f"{command[0]}: {reason}") from error
    except OSError as error:
        raise OutputUnwritable(f"cannot run {command[0]}: {error.strerror}") from error
    return done.stdout


def examine(device: Path, label: str, run: Run = run_command) -> Stick:
    """What ``device`` is.

    Raises NotFoundError where it is no block device, NotAllowed where it is not labelled ``label``
    or has another file system than those of FILE_SYSTEMS.
    """
    if not device.is_block_device():
        raise NotFoundError(f"{device} is no block device: is the stick still plugged in?")
    try:
        probed = run(["blkid", "--probe", "--output", "export", str(device)])
    except OutputUnwritable as error:
        raise NotAllowed(f"{device} holds no file system that can be told ({error})") from error
    found = _pairs(probed)
    if found.get("LABEL") != label:
        raise NotAllowed(f"{device} is not labelled {label} (clinic.usb_label): it is left alone")
    kind = found.get("TYPE", "")
    if kind not in FILE_SYSTEMS:
        raise NotAllowed(
            f"{device} must be formatted as {', '.join(FILE_SYSTEMS)}, and is {_plain(kind)}"
        )
    serial, volume = _serial(device, run), found.get("UUID", "")
    return Stick(device, label, kind, _plain(serial) or UNKNOWN, _plain(volume) or UNKNOWN)


@contextmanager
def mounted(
    stick: Stick,
    place: Path,
    *,
    uid: int,
    gid: int,
    run: Run = run_command,
    read_only: bool = False,
) -> Iterator[Path]:
    """The stick mounted at ``place`` (made if missing) for as long as the block lasts.

    ``uid`` and ``gid`` are whom its files belong to. Raises OutputUnwritable where it cannot be
    mounted, or unmounted: then what was written may not be on the stick.
    """
    own = FILE_SYSTEMS[stick.file_system].format(uid=uid, gid=gid)
    options = ",".join(part for part in (_SAFE, own, "ro" if read_only else "rw") if part)
    with translated_output(place):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(["mount", "-t", stick.file_system, "-o", options, str(stick.device), str(place)])
    try:
        yield place
    except BaseException:
        # The first error is the one to tell; a stick that is gone cannot be unmounted cleanly.
        _detach(place, run)
        raise
    run(["umount", str(place)])


def require_space(place: Path, stick: Stick) -> None:
    """Raise OutputFull where the stick has hardly any room left."""
    with translated_output(stick.device):
        free = _free(place)
    if free < LEAST_FREE:
        raise OutputFull(
            f"the stick {stick.serial} has {free / 1e6:.1f} MB left, and must have "
            f"{LEAST_FREE / 1e6:.1f}: nothing was left there"
        )


def verify(place: Path, name: str, size: int, sha256: str) -> None:
    """Raise OutputDamaged unless the file ``name`` at ``place`` is what was written."""
    path = place / name
    with translated_output(path):
        if digest(path) != (size, sha256):
            raise OutputDamaged(f"{name}: what the stick gives back is not what was written")


def _free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def _detach(place: Path, run: Run) -> None:
    for command in (["umount", str(place)], ["umount", "--lazy", str(place)]):
        try:
            run(command)
        except OutputUnwritable:
            # Of a stick that was pulled; the block's own error is the one to tell.
            continue
        return


def _serial(device: Path, run: Run) -> str:
    try:
        told = run(["udevadm", "info", "--query=property", f"--name={device}"])
    except OutputUnwritable:
        # Without udev (in a container) the file system's own number has to do.
        return ""
    return _pairs(told).get("ID_SERIAL_SHORT", "")


def _pairs(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines())
    return {name: value for name, equals, value in lines if equals}


def _plain(text: str) -> str:
    """What a stick says of itself can be anything: only harmless characters are kept."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:_LONGEST_NAME]
