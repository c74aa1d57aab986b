"""Sticks that fail: full, write-protected, pulled while written, damaged, or no file system at all.

Made and written as in test_stick.py. Needs root, and what is named there.
"""

import hashlib
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.stick_room import KINDS, VFAT, Room

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.getuid() != 0, reason="mounts: needs root")]

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32): as if the device were gone
NO_FLUSH = 2


@pytest.mark.parametrize("kind", ["ext4", VFAT])
def test_a_full_stick_is_told_and_left_as_it_was(room: Room, kind: str) -> None:
    device = room.stick(kind, megabytes=16)
    place = room.folder / "look"
    place.mkdir()
    subprocess.run(["mount", device, place], check=True)
    (place / "holiday.jpg").write_bytes(os.urandom(5 << 20))
    subprocess.run(["umount", place], check=True)
    done = room.write(device)
    assert done.returncode == 74, done.stderr
    assert "MB left" in done.stderr
    assert room.content(device, kind) == ["holiday.jpg"]
    assert room.sign() == "usb-failed"
    assert room.outcomes() == [("pack", "failed", "OutputFull")]


@pytest.mark.parametrize("kind", ["ext4", VFAT])
def test_a_write_protected_stick_is_told(room: Room, kind: str) -> None:
    device = room.stick(kind)
    subprocess.run(["losetup", "--detach", device], check=True)
    protected = room.attach(room.folder / "0.img", "--read-only")
    done = room.write(protected)
    assert done.returncode == 73, done.stderr
    assert room.content(protected, kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_stick_that_is_pulled_while_written_has_no_half_pack(room: Room, kind: str) -> None:
    room.record(*(5 * number for number in range(1, 600)))
    before = hashlib.sha256(room.database.read_bytes()).hexdigest()
    device = room.stick(kind)
    pulled = threading.Thread(target=pull, args=(room, kind))
    pulled.start()
    done = room.write(room.through_mapper(device) if kind == "vfat" else device)
    pulled.join(100)
    assert done.returncode == 73, done.stderr
    assert hashlib.sha256(room.database.read_bytes()).hexdigest() == before
    assert room.sign() == "usb-failed"
    assert "done" not in {outcome for _, outcome, _ in room.outcomes()}
    left = room.content(device, kind)
    assert not [name for name in left if name.endswith(".edgefea") and not name.startswith(".")]
    # And the next stick gets everything.
    assert "600 clips, read back" in room.write(room.stick("ext4")).stdout


def pull(room: Room, kind: str) -> None:
    """Once a part of the pack is on the stick, take the stick away."""
    wait_for(lambda: ".partial" in room.inside("ls", "-A", room.mount_point).stdout)
    if kind == "exfat":
        subprocess.run(["pkill", "--signal", "KILL", "-f", "mount.exfat"], check=True)
        return
    if kind == "vfat":
        subprocess.run(["dmsetup", "wipe_table", "--noflush", room.mapped[0]], check=True)
        return
    code = (
        f"import fcntl, os; f = os.open('{room.mount_point}', os.O_RDONLY); "
        f"fcntl.ioctl(f, {EXT4_IOC_SHUTDOWN}, {struct.pack('I', NO_FLUSH)!r})"
    )
    assert room.inside(sys.executable, "-c", code).returncode == 0


def wait_for(condition: Callable[[], bool]) -> None:
    """The test's own time-out ends a wait in vain."""
    while not condition():
        time.sleep(0.01)


def test_a_damaged_file_system_is_not_mounted(room: Room) -> None:
    device = room.stick("ext4")
    with Path(device).open("r+b") as file:
        # The label and the superblock stay; the group descriptors behind them do not.
        file.seek(4096)
        file.write(os.urandom(1 << 20))
    done = room.write(device)
    assert done.returncode == 73, done.stderr
    assert ("pack", "failed", "OutputUnwritable") in room.outcomes()


@pytest.mark.parametrize("kind", [VFAT])
@pytest.mark.parametrize("where", ["tables", "everything"])
def test_a_damaged_fat_leaves_no_pack(room: Room, kind: str, where: str) -> None:
    """Its tables are noise: it is mounted, and cannot be written; or all of it but its label is."""
    device = room.stick(kind)
    begin, size = (32 * 512, 64 << 10) if where == "tables" else (512, 8 << 20)
    with Path(device).open("r+b") as file:
        file.seek(begin)
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())
    done = room.write(device)
    assert done.returncode in (73, 74, 77), done.stderr
    assert done.stderr.startswith("edge-fea: ")
    assert "done" not in {outcome for _, outcome, _ in room.outcomes()}


def test_what_is_no_file_system_is_refused(room: Room) -> None:
    image = room.folder / "noise.img"
    image.write_bytes(os.urandom(4 << 20))
    done = room.write(room.attach(image))
    assert done.returncode == 77, done.stderr
    assert room.outcomes() == [("pack", "refused", "NotAllowed")]
