"""A machine made of files and answers, for the tests of the doctor."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edge_fea.config.layers import load
from edge_fea.device.doctor.findings import Case
from edge_fea.device.doctor.machine import Answer, Machine
from edge_fea.store.clips import ClipRecorder
from edge_fea.summary.record import ClipSummary
from tests.conftest import NOON, FakeClock

PID = 700
GIGABYTE = 10**9


@dataclass
class Made:
    """A device in a folder of a test; what is not told is missing."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    answers: dict[str, str] = field(default_factory=dict)
    """What a command says, by how its line begins."""

    settings: dict[str, Any] = field(default_factory=dict)
    free: int = 20 * GIGABYTE
    read_only: bool = False
    camera: str | None = None
    """What is wrong with it."""

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "edge-fea.db"

    def put(self, path: str, text: str) -> Path:
        """A file of the kernel's."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def record(self, *clips: ClipSummary) -> None:
        self.database.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        with ClipRecorder(self.database, busy_timeout=1, now=NOON) as recorder:
            for clip in clips:
                recorder.save(clip)

    def hold_lock(self, pid: int = PID) -> None:
        """The kernel says that a process records."""
        if not self.database.exists():
            self.record()
        lock = self.database.with_name("edge-fea.db.lock").stat()
        place = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
        self.put(
            "/proc/locks",
            "1: POSIX  ADVISORY  READ 5 00:2d:1 128 128\n"
            f"2: FLOCK  ADVISORY  WRITE {pid} {place} 0 EOF\n",
        )

    def unit(self, **properties: str) -> None:
        """What the service manager says of the service."""
        sound = {
            "LoadState": "loaded",
            "ActiveState": "active",
            "SubState": "running",
            "UnitFileState": "enabled",
            "Result": "success",
            "NRestarts": "0",
            "MainPID": str(PID),
            "ControlGroup": "/system.slice/edge-fea.service",
            "PrivateNetwork": "yes",
            "RestrictAddressFamilies": "AF_NETLINK AF_UNIX",
            "ProtectSystem": "strict",
            "ProtectHome": "yes",
        }
        told = {**sound, **properties}
        self.answers["systemctl show"] = "\n".join(f"{key}={each}" for key, each in told.items())

    def disk(self, name: str = "mmcblk0", **files: str) -> None:
        """The disk that the database's folder lies on."""
        self.database.parent.mkdir(parents=True, exist_ok=True)
        number = self.database.parent.stat().st_dev
        device = self.root / "sys" / "block" / name
        device.mkdir(parents=True)
        self.link(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}", str(device))
        for path, text in files.items():
            self.put(f"/sys/block/{name}/{path.replace('__', '/')}", text)

    def case(self) -> Case:
        keys = {"store.database": self.database, "device.id": "efea-1", **self.settings}
        return Case(
            load(overrides=keys, environment=False).settings,
            Machine(self.root, self._answer, self._space, lambda _: self.camera),
            self.clock,
            "boot-2",
        )

    def _answer(self, command: Sequence[str]) -> Answer | None:
        line = " ".join(command)
        found = next((text for words, text in self.answers.items() if line.startswith(words)), None)
        return None if found is None else Answer(0, found)

    def _space(self, _: Path) -> Any:
        return SimpleNamespace(
            f_flag=os.ST_RDONLY if self.read_only else 0,
            f_bavail=self.free // 4096,
            f_frsize=4096,
            f_favail=1000,
            f_files=2000,
        )
