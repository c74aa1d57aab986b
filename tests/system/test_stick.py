"""Real file systems on loop devices, written by the very command of edge-fea-usb@.service.

Each test makes an image file with mkfs, attaches it with losetup and runs `edge-fea stick write` as
root in a mount namespace of its own (unshare), with `nobody` as the unprivileged user. ext4 is
mounted by the kernel; exFAT too, or by exfat-fuse where the kernel has none; vfat where the kernel
has it, else by `make test-vfat` under Debian's kernel. Needs root, and Debian's
exfatprogs, exfat-fuse, dosfstools, and dmsetup for vfat.
"""

import hashlib
import os
import pwd
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest

from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON
from tests.store.clip_factory import START, make_clip
from tests.system.ssh_setting import reach

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.getuid() != 0, reason="mounts: needs root")]

LABEL = "EDGEFEA"
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-L", LABEL, "-E", "root_owner=65534:65534"],
    "exfat": ["mkfs.exfat", "-L", LABEL],
    "vfat": ["mkfs.vfat", "-n", LABEL],
}
KERNEL = Path("/proc/filesystems").read_text().split()
VFAT = pytest.param(
    "vfat",
    marks=[
        pytest.mark.vfat,
        pytest.mark.skipif("vfat" not in KERNEL, reason="no vfat in this kernel: make test-vfat"),
    ],
)
KINDS = ["ext4", "exfat", VFAT]
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32): as if the device were gone
NO_FLUSH = 2


class Room:
    """A device's folder, and a mount namespace in which nobody can reach Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.database = self.data / "edge-fea.db"
        self.settings = folder / "settings.toml"
        self.identity = pyrage.x25519.Identity.generate()
        self.trail = AuditTrail(self.data / "audit" / "edge-fea-audit.db", busy_timeout=10)
        self.loops: list[str] = []
        self.mapped: list[str] = []
        self._nobody = pwd.getpwnam("nobody")
        self._namespace: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Settings, a clip, the namespace."""
        self.data.mkdir()
        self.settings.write_text(
            f'[store]\ndatabase = "{self.database}"\n'
            f'[clinic]\nrecipients = ["{self.identity.to_public()}"]\n'
            f'signing_key = "{self.data}/keys/device.pem"\n'
            f'[device]\nid = "ward-3"\n'
            f'[indicator]\nrequests = "{self.folder}/light"\n'
        )
        self.record(0)
        script = "\n".join([*reach(self.folder), "echo ready", "exec sleep infinity"])
        self._namespace = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "bash", "-euc", script],
            stdout=subprocess.PIPE,
        )
        assert self._namespace.stdout is not None
        with self._namespace.stdout as out:
            assert out.readline() == b"ready\n"

    def close(self) -> None:
        """End the namespace and free the loop devices."""
        if self._namespace is not None:
            self._namespace.terminate()
            self._namespace.wait(30)
        for name in self.mapped:
            subprocess.run(["dmsetup", "remove", "--retry", name], check=False)
        for loop in self.loops:
            subprocess.run(["losetup", "--detach", loop], check=False)

    def record(self, *minutes: float) -> None:
        """Clips that start so many minutes after the first."""
        with ClipRecorder(self.database, busy_timeout=5, now=NOON) as recorder:
            for each in minutes:
                recorder.save(make_clip(each))
        for path in [self.data, *self.data.rglob("*")]:
            os.chown(path, self._nobody.pw_uid, self._nobody.pw_gid)

    def stick(self, kind: str, *, megabytes: int = 64) -> str:
        """A loop device with a fresh file system."""
        image = self.folder / f"{len(self.loops)}.img"
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run([*MAKE[kind], image], check=True, stdout=subprocess.DEVNULL)
        return self.attach(image)

    def attach(self, image: Path, *options: str) -> str:
        """A loop device for an image."""
        loop = subprocess.check_output(["losetup", "--find", "--show", *options, image], text=True)
        self.loops.append(loop.strip())
        return loop.strip()

    def through_mapper(self, device: str) -> str:
        """A device that is ``device`` until the mapper lets go of it, as a stick that is pulled."""
        sectors = subprocess.check_output(["blockdev", "--getsz", device], text=True).strip()
        name = self.folder.name
        table = f"0 {sectors} linear {device} 0"
        subprocess.run(["dmsetup", "create", name, "--noudevsync", "--table", table], check=True)
        self.mapped.append(name)
        info = ["dmsetup", "info", "-c", "--noheadings", "-o", "minor", name]
        # Not below /dev/mapper: that is udev's to make, which does not run everywhere.
        return f"/dev/dm-{subprocess.check_output(info, text=True).strip()}"

    def write(self, device: str) -> subprocess.CompletedProcess[str]:
        """What the unit runs."""
        words = ["--config", self.settings, "stick", "write", device]
        words += ["--user", "nobody", "--mount-point", self.mount_point]
        return self.inside(sys.executable, "-m", "edge_fea", *words)

    def inside(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A command in the namespace."""
        assert self._namespace is not None
        place = f"--mount=/proc/{self._namespace.pid}/ns/mnt"
        command = ["nsenter", place, "--", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=800)

    @property
    def mount_point(self) -> Path:
        """Where sticks are mounted, in the namespace."""
        return self.folder / "stick"

    def content(self, device: str, kind: str, take: Path | None = None) -> list[str]:
        """The names on a stick, the newest last; ``take`` gets copies."""
        place = self.folder / "look"
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", kind, "-o", "ro", device, place], check=True)
        try:
            names = sorted(each.name for each in place.iterdir() if each.name != "lost+found")
            if take is not None:
                shutil.copytree(place, take, dirs_exist_ok=True, symlinks=True)
        finally:
            subprocess.run(["umount", place], check=True)
        return names

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Action, outcome and note of each row of the trail, which must be whole."""
        assert self.trail.faults() == []
        return [(row["action"], row["outcome"], row["note"]) for row in self.trail.rows()]

    def sign(self) -> str:
        """What the light was asked for."""
        return (self.folder / "light").read_text().split()[0]


@pytest.fixture
def room() -> Iterator[Room]:
    folder = Path(tempfile.mkdtemp(prefix="edge-fea-stick-"))
    folder.chmod(0o755)
    made = Room(folder)
    # mount finds a helper of this name where the kernel has no exFAT.
    helper = Path("/usr/sbin/mount.exfat")
    missing = "exfat" not in KERNEL and not helper.exists()
    if missing:
        helper.symlink_to("mount.exfat-fuse")
    try:
        made.start()
        yield made
    finally:
        made.close()
        if missing:
            helper.unlink()
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_stick_gets_what_is_new_since_its_last_pack(room: Room, kind: str) -> None:
    device, taken = room.stick(kind), room.folder / "taken"
    first = room.write(device)
    assert first.returncode == 0, first.stderr
    assert "1 clips, read back" in first.stdout
    assert room.sign() == "usb-done"
    (name,) = room.content(device, kind)

    again = room.write(device)
    assert again.returncode == 0, again.stderr
    assert "nothing new since its last pack" in again.stdout
    assert room.content(device, kind) == [name]

    time.sleep(1.1)  # names are told apart by the second
    since_then = (datetime.now(UTC) - START).total_seconds() / 60
    room.record(since_then, since_then + 5)
    assert room.write(device).returncode == 0
    names = room.content(device, kind, taken)
    assert len(names) == 2
    packs = [unpacked(room, taken / each) for each in names]
    assert [pack.count("\n") - 1 for pack in packs] == [1, 2]
    whose = {row["who"] for row in room.trail.rows()}
    assert len(whose) == 1
    assert whose.pop().startswith("stick:")


@pytest.mark.parametrize("kind", KINDS)
def test_a_stick_from_which_a_pack_was_removed_gets_its_clips_again(room: Room, kind: str) -> None:
    device = room.stick(kind)
    assert room.write(device).returncode == 0
    place = room.folder / "look"
    place.mkdir()
    subprocess.run(["mount", "-t", kind, device, place], check=True)
    for each in place.glob("*.edgefea"):
        each.unlink()
    subprocess.run(["umount", place], check=True)
    again = room.write(device)
    assert "1 clips, read back" in again.stdout, again.stderr
    assert len(room.content(device, kind)) == 1


def test_a_reader_who_is_new_finds_all_clips_on_a_stick_that_was_filled_before(room: Room) -> None:
    device, taken = room.stick("ext4"), room.folder / "taken"
    assert room.write(device).returncode == 0
    room.identity, former = pyrage.x25519.Identity.generate(), room.identity
    text = room.settings.read_text()
    room.settings.write_text(text.replace(str(former.to_public()), str(room.identity.to_public())))
    time.sleep(1.1)  # names are told apart by the second
    assert "1 clips, read back" in room.write(device).stdout
    newest = room.content(device, "ext4", taken)[-1]
    assert unpacked(room, taken / newest).count("\n") - 1 == 1


def unpacked(room: Room, pack: Path) -> str:
    """The clips of a pack, as a clinician gets at them."""
    key, folder = room.folder / "reader.txt", room.folder / pack.stem
    key.write_text(str(room.identity))
    key.chmod(0o600)
    command = [sys.executable, "-m", "edge_fea", "unpack", pack, "-i", key, "-o", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (clips,) = folder.rglob("*.csv")
    return clips.read_text()


def test_only_the_reader_opens_it_and_a_flipped_bit_shows(room: Room) -> None:
    device, taken = room.stick("ext4"), room.folder / "taken"
    assert room.write(device).returncode == 0
    (name,) = room.content(device, "ext4", taken)
    stranger = room.folder / "stranger.txt"
    stranger.write_text(str(pyrage.x25519.Identity.generate()))
    stranger.chmod(0o600)
    unpack = [sys.executable, "-m", "edge_fea", "unpack"]
    refused = subprocess.run(
        [*unpack, taken / name, "-i", stranger, "-o", room.folder / "out"], check=False
    )
    assert refused.returncode == 65
    whole = bytearray((taken / name).read_bytes())
    whole[len(whole) // 2] ^= 0x10
    (taken / name).write_bytes(whole)
    own = room.folder / "own.txt"
    own.write_text(str(room.identity))
    own.chmod(0o600)
    damaged = subprocess.run(
        [*unpack, taken / name, "-i", own, "-o", room.folder / "out"], check=False
    )
    assert damaged.returncode == 65
    assert not (room.folder / "out").exists()


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


def test_a_stick_with_another_label_is_left_alone(room: Room) -> None:
    device = room.stick("ext4")
    subprocess.run(["e2label", device, "PRIVATE"], check=True)
    done = room.write(device)
    assert done.returncode == 77
    assert "not labelled EDGEFEA" in done.stderr
    assert room.content(device, "ext4") == []


def test_symbolic_links_on_the_stick_lead_nowhere(room: Room) -> None:
    device = room.stick("ext4")
    place, target = room.folder / "look", room.folder / "precious"
    place.mkdir()
    target.write_text("as it was")
    target.chmod(0o666)
    subprocess.run(["mount", device, place], check=True)
    now = datetime.now(UTC)
    for second in range(-5, 300):
        moment = now + timedelta(seconds=second)
        (place / f"edge-fea-ward-3-{moment:%Y%m%dT%H%M%SZ}.edgefea").symlink_to(target)
    subprocess.run(["umount", place], check=True)
    done = room.write(device)
    assert done.returncode == 73, done.stderr
    assert "is there already" in done.stderr
    assert target.read_text() == "as it was"


def test_a_pack_without_a_reader_is_refused(room: Room) -> None:
    text = room.settings.read_text()
    room.settings.write_text(text.replace(f'"{room.identity.to_public()}"', ""))
    device = room.stick("ext4")
    done = room.write(device)
    assert done.returncode == 77, done.stderr
    assert room.content(device, "ext4") == []
    assert ("pack", "refused", "NotAllowed") in room.outcomes()
