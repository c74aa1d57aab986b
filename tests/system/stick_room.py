"""USB sticks on loop devices, and a mount namespace in which they are written."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from edge_fea.store.audit import AuditTrail
from edge_fea.store.clips import ClipRecorder
from tests.conftest import NOON
from tests.store.clip_factory import make_clip
from tests.system.ssh_setting import reach

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


@contextlib.contextmanager
def make_room() -> Iterator[Room]:
    """A room that has been started, with what mounting exFAT takes."""
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
