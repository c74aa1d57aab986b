"""What the doctor sees of the machine: files of the kernel, commands, and nothing that changes."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_fea.config import CaptureSettings
from edge_fea.device.doctor.glance import glance

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    code: int
    text: str


def run_command(command: Sequence[str]) -> Answer | None:
    """Run a command that only tells; None where it is not installed or does not end."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            # Numbers and words as they are compared here, whatever language is set.
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Answer(done.returncode, (done.stdout or done.stderr).strip())


@dataclass(frozen=True)
class Machine:
    """The machine, or a tree of files and a table of answers that stand for it in tests."""

    root: Path = Path("/")
    run: Callable[[Sequence[str]], Answer | None] = run_command
    space: Callable[[Path], os.statvfs_result] = os.statvfs
    glance: Callable[[CaptureSettings], str | None] = glance
    """Takes one picture and lets go of it; what went wrong, or None."""

    def at(self, path: str) -> Path:
        """Where an absolute ``path`` is."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """A small file's content; None where there is none. Raises PermissionError."""
        try:
            return self.at(path).read_text(errors="replace").strip()
        except PermissionError:
            raise
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """What is in a folder, sorted; empty where there is none. Raises PermissionError."""
        try:
            return sorted(os.listdir(self.at(path)))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return []

    def link(self, path: str) -> str:
        """Where a link leads, as it stands there. Raises OSError."""
        return os.readlink(self.at(path))  # noqa: PTH115

    def ask(self, *command: str) -> str | None:
        """What a command said where it ended well, else None."""
        answer = self.run(command)
        return answer.text if answer is not None and answer.code == 0 else None

    def fields(self, path: str) -> dict[str, str]:
        """The lines ``name: value`` of a file such as ``/proc/PID/status``."""
        lines = (self.text(path) or "").splitlines()
        pairs = (line.partition(":") for line in lines)
        return {name.strip(): value.strip() for name, colon, value in pairs if colon}

    def uptime_s(self) -> float | None:
        """Seconds since boot."""
        text = self.text("/proc/uptime")
        return float(text.split()[0]) if text else None

    def age_s(self, pid: int) -> float | None:
        """Seconds that a process has been running."""
        uptime, text = self.uptime_s(), self.text(f"/proc/{pid}/stat")
        if uptime is None or not text:
            return None
        # The name, in brackets, may hold spaces and brackets of its own.
        after_name = text.rpartition(")")[2].split()
        return max(0.0, uptime - int(after_name[19]) / os.sysconf("SC_CLK_TCK"))

    def children(self, pid: int) -> list[int]:
        """All processes that a process has started, and theirs."""
        parents = {
            int(name): int(self.fields(f"/proc/{name}/status").get("PPid", "0"))
            for name in self.names("/proc")
            if name.isdigit()
        }
        found: list[int] = []
        wave = {pid}
        while wave := {each for each, parent in parents.items() if parent in wave} - {*found, pid}:
            found += sorted(wave)
        return found
