"""A device without a Pi: this machine's own system, booted in a container from a throw-away copy.

The copy is an overlay in memory over ``/``: nothing is downloaded, and nothing of this machine is
changed. systemd, the units and the sandbox in it are real; the camera is a film. Needs root and
systemd-nspawn.
"""

import contextlib
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
UNITS = REPOSITORY / "systemd"
EDGE_FEA = "/opt/edge-fea/bin/edge-fea"
_NAME = "edge-fea-box"

# The service cannot see /root, /home and /tmp: code, packages and Python are shown to it elsewhere.
_SHOWN = {
    "/opt/source": REPOSITORY,
    "/opt/packages": Path(sysconfig.get_path("purelib")),
    "/opt/python": Path(sys.base_prefix),
}
_LAUNCHER = f"""#!/bin/sh
export PYTHONPATH=/opt/source:/opt/packages
exec /opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor} -m edge_fea "$@"
"""


class Box:
    """One container; ``folder`` is empty, and becomes the mount point of its disk."""

    lower = Path("/")
    """What the disk is a throw-away copy of."""

    shown = _SHOWN
    """Folders of this machine that the container sees too, by their places in it."""

    size = "2g"
    """The room for what is written on it."""

    patience_s = 120.0
    """What a command in it may take."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / "root"
        # Mounts live in a namespace of their own, and go with the process that holds it.
        self._holder = subprocess.Popen(["unshare", "--mount", "sleep", "infinity"])
        self._wait_for_namespace()
        layers = f"lowerdir={self.lower},upperdir={folder}/upper,workdir={folder}/work"
        self._outside(
            f"mount -t tmpfs -o size={self.size} none {folder} && cd {folder} && "
            f"mkdir upper work root && mount -t overlay -o {layers} overlay root"
        )
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._furnish()

    def _furnish(self) -> None:
        # Only what belongs to the device starts.
        self.prepare(
            "find /etc/systemd/system -name '*.wants' -exec rm -r {} +; "
            "rm -f /etc/machine-id; systemd-machine-id-setup 2>/dev/null; "
            "groupadd --system --force render; "
            "useradd --system --no-create-home --groups video edge-fea"
        )
        for where in self.shown:
            self.prepare(f"mkdir -p {where}")
        self.write(EDGE_FEA, _LAUNCHER)
        self.prepare(f"chmod 755 {EDGE_FEA}")

    def _wait_for_namespace(self) -> None:
        ours = Path("/proc/self/ns/mnt").readlink()
        while Path(f"/proc/{self._holder.pid}/ns/mnt").readlink() == ours:
            time.sleep(0.01)

    def _outside(self, script: str, text: str = "") -> str:
        """Run a shell script beside the container, where its disk is mounted."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._holder.pid), "-m", "sh", "-euc", script],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (script, done.stderr)
        return done.stdout

    def prepare(self, script: str) -> None:
        """Run a shell script in the container's disk, booted or not."""
        self._outside(f"chroot {self._root} sh -eu", script)

    def write(self, path: str, text: str) -> None:
        """Write a file on the container's disk."""
        self._outside(f"mkdir -p $(dirname {self._root}{path}); cat > {self._root}{path}", text)

    def copy(self, source: Path, path: str) -> None:
        """Copy a file onto the container's disk."""
        self._outside(f"cp {source} {self._root}{path}")

    def boot(self) -> None:
        """Power on, until all that starts at boot has started."""
        binds = [f"--bind-ro={source}:{where}" for where, source in self.shown.items()]
        command = [
            *("nsenter", "-t", str(self._holder.pid), "-m"),
            *("systemd-nspawn", "--quiet", "--boot", "--directory", str(self._root)),
            *("--register=no", "--keep-unit", "--private-network", f"--machine={_NAME}"),
            *("--console=pipe", *binds),
        ]
        self._nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.until(lambda: self._find_leader() != 0, "the container does not start")
        self._leader = self._find_leader()
        self.until(
            lambda: (
                self.try_run("systemctl", "is-system-running")[1].strip() in ("running", "degraded")
            ),
            "the boot does not end",
        )

    def reboot_itself(self) -> None:
        """Wait until it reboots, and for the end of the boot."""
        assert self._nspawn is not None
        output, _ = self._nspawn.communicate(timeout=60)
        # So nspawn tells a reboot from a power-off.
        assert self._nspawn.returncode == 133, output
        self.boot()

    def _find_leader(self) -> int:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self._nspawn.communicate()[0]
        for task in Path(f"/proc/{self._nspawn.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                        return int(child)
        return 0

    def try_run(self, *command: str) -> tuple[int, str]:
        """Run a command in the container as root; its exit code and output."""
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        done = subprocess.run(
            [*enter, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.patience_s,
            check=False,
        )
        return done.returncode, done.stdout

    def run(self, *command: str) -> str:
        """Run a command that must succeed; its output."""
        code, output = self.try_run(*command)
        assert code == 0, (command, output)
        return output

    def edge_fea(self, *arguments: str) -> str:
        """Run edge-fea as the service's user."""
        return self.run("runuser", "-u", "edge-fea", "--", EDGE_FEA, *arguments)

    def show(self, name: str, unit: str = "edge-fea.service") -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit).strip()

    def journal(self) -> str:
        """What the service has logged."""
        return self.run("journalctl", "-u", "edge-fea", "-o", "cat", "--no-pager")

    def until(self, true: Callable[[], bool], otherwise: str, seconds: float = 90) -> None:
        """Wait until something holds."""
        ends = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < ends, otherwise
            time.sleep(0.2)

    def cut_power(self) -> None:
        """Pull the plug: all processes die at once."""
        assert self._nspawn is not None
        # Killing nspawn itself would leave the container running.
        os.kill(self._leader, 9)
        self._nspawn.communicate(timeout=30)
        self._nspawn, self._leader = None, 0

    def close(self) -> None:
        """Throw it away."""
        try:
            if self._nspawn is not None and self._nspawn.poll() is None:
                self.cut_power()
        finally:
            self._holder.kill()
            self._holder.wait()
            # The one thing that nspawn leaves on this machine.
            with contextlib.suppress(OSError):
                Path(f"/run/systemd/nspawn/propagate/{_NAME}").rmdir()
