"""A blank Debian in a container, on which edge-fea is installed as on a device.

The root file system is made once by mmdebstrap and kept; a container works on a throw-away layer
above it, with no network.
"""

import json
import os
import subprocess
from pathlib import Path

from tests.system.box import REPOSITORY, Box

# What a system has that Raspberry Pi OS Lite has too, as far as edge-fea meets it; and the
# libraries that reports as PDF need, which are not in a bundle. No python3-venv, no pip.
PACKAGES = (
    *("dbus", "kmod", "openssh-client", "openssh-server", "procps", "python3"),
    *("systemd", "systemd-sysv", "tzdata", "udev"),
    *("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"),
)
BUNDLES = "/srv"


def kept() -> Path:
    """Where root file systems and bundles are kept from one run to the next."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "edge-fea-roots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def root_file_system(suite: str, arch: str) -> Path:
    """A Debian of that release and architecture, made if there is none yet (about two minutes)."""
    root = kept() / f"{suite}-{arch}"
    if not root.exists():
        # What it mounts goes with it, however it ends; and what a run that was ended leaves behind
        # is a file or a folder, never one in which something is mounted.
        archive, partial = (root.with_name(f"{root.name}.{end}") for end in ("tar", "partial"))
        subprocess.run(
            [
                *("unshare", "--mount", "--propagation=private"),
                *("mmdebstrap", "--quiet", "--variant=minbase", f"--arch={arch}"),
                # The kernel has the emulator open (see emulation.py): none needs to lie here.
                "--skip=check/qemu",
                *(f"--include={','.join(PACKAGES)}", "--format=tar", suite, str(archive)),
            ],
            check=True,
            timeout=3600,
        )
        partial.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xpf", archive, "-C", partial], check=True)
        archive.unlink()
        partial.rename(root)
    return root


def make_bundle(folder: Path, arch: str, *suites: str) -> Path:
    """A bundle as `make bundle` makes it, as a folder."""
    given = [word for suite in suites for word in ("--suite", suite)]
    command = [REPOSITORY / "deploy" / "make-bundle.sh", "--arch", arch, "--folder", folder, *given]
    subprocess.run(command, check=True, timeout=900, stdout=subprocess.DEVNULL)
    return folder


def make_deb(bundle: Path, file: Path) -> None:
    """The Debian package of a bundle, as `make deb` makes it."""
    made = file.with_suffix(".made")
    command = [REPOSITORY / "deploy" / "make-deb.sh", "--bundle", bundle, "--output", made]
    subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL)
    (package,) = made.iterdir()
    package.rename(file)


class Blank(Box):
    """A system on which nothing of edge-fea is installed; ``bundles`` is shown to it as /srv."""

    # Three releases of an upgrade.
    size = "4g"
    patience_s = 900.0

    def __init__(self, folder: Path, lower: Path, bundles: Path) -> None:
        self.lower = lower
        self.shown = {BUNDLES: bundles}
        super().__init__(folder)

    def _furnish(self) -> None:
        self.prepare("rm -f /etc/machine-id; systemd-machine-id-setup 2>/dev/null")

    def script(self, name: str, *arguments: str) -> tuple[int, str]:
        """Run one of a bundle's scripts, such as ``new/deploy/install.sh``."""
        return self.try_run(f"{BUNDLES}/{name}", *arguments)

    def inside(self, *command: str, environment: dict[str, str]) -> tuple[int, str]:
        """Run a command as root in the container without booting it; its exit code and output."""
        done = subprocess.run(
            [
                *("nsenter", "-t", str(self._holder.pid), "-m"),
                *("systemd-nspawn", "--quiet", "--directory", str(self._root), "--as-pid2"),
                *("--register=no", "--keep-unit", "--private-network", "--console=pipe"),
                *(f"--bind-ro={source}:{where}" for where, source in self.shown.items()),
                *(f"--setenv={name}={value}" for name, value in environment.items()),
                *command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3600,
            check=False,
        )
        # What nspawn itself says where this machine's /run is on a disk.
        lines = done.stdout.splitlines(keepends=True)
        own = "Attempted to remove disk file system"
        return done.returncode, "".join(line for line in lines if not line.startswith(own))

    def state(self) -> dict[str, str]:
        """All files of the system outside of what changes by itself, with what is in them."""
        listed = self.run(
            "sh",
            "-c",
            "find /boot /etc /home /opt /root /usr /var -xdev "
            "\\( -path /var/log -o -path /var/lib/systemd -o -path '/var/lib/edge-fea/*' "
            "-o -path /var/tmp -o -path /var/cache/ldconfig \\) -prune -o "
            "-printf '%p\\t%y %m %u %g %T@ %l\\n'",
        )
        return dict(line.split("\t") for line in listed.splitlines())

    def doctor(self) -> dict[str, str]:
        """What the doctor, asked as the service's user, says of each check."""
        code, said = self.try_run(
            "runuser", "-u", "edge-fea", "--", "/opt/edge-fea/bin/edge-fea", "doctor", "--json"
        )
        report = json.loads(said[: said.rindex("}") + 1])
        assert code in (0, 71), said
        return {finding["name"]: finding["state"] for finding in report["findings"]}
