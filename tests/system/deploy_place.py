"""A place that the deploy scripts take for the whole system, in a folder of a test's."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from tests.conftest import NOON
from tests.store.clip_factory import make_clip
from tests.system.box import REPOSITORY

PLACES = ("/opt/edge-fea", "/var/backups/edge-fea", "/var/lib/edge-fea", "/etc/edge-fea",
          "/etc/systemd/system", "/etc/udev/rules.d", "/usr/local/bin", "/run/lock")  # fmt: skip
# No account is changed to, no systemd asked, and root is not needed.
ALONE = 'as_account() { "$@"; }; booted() { false; }; systemctl() { echo "systemctl $*"; }; '
# A release that cannot read the database, and can put a backup back.
CANNOT_READ = """
case $1 in
  clips) echo 'written by a newer edge-fea' >&2; exit 78 ;;
  restore) echo "restoring $3"; touch "$0.restored" ;;
esac
"""


@dataclass
class Place:
    """A copy of the scripts for which ``root`` is the whole system."""

    root: Path
    deploy: Path

    @property
    def database(self) -> Path:
        return self.root / "elsewhere" / "numbers.db"

    @property
    def backups(self) -> Path:
        return self.root / "var/backups/edge-fea"

    @property
    def marker(self) -> Path:
        return self.root / "opt/edge-fea/upgrade-unfinished"

    def line(self, script: str) -> list[str]:
        """A line with the library, as a command."""
        library = f'HERE={self.deploy}; set -euo pipefail; . "$HERE/lib/all.sh"; {ALONE}'
        return ["bash", "-c", f"{library} make_scratch; {script}"]

    def ask(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a line with the library."""
        return subprocess.run(
            self.line(script),
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def release(self, name: str, script: str = "") -> Path:
        """A release: edge-fea itself, or a shell script in its place."""
        folder = self.root / "opt/edge-fea/releases" / name
        (folder / "bin").mkdir(parents=True)
        (folder / "COMPLETE").touch()
        for part in ("systemd", "deploy/udev"):
            shutil.copytree(REPOSITORY / part, folder / part)
        file = folder / "bin/edge-fea"
        settings = self.root / "etc/edge-fea/edge-fea.toml"
        itself = f'exec {sys.executable} -m edge_fea --config {settings} "$@"'
        file.write_text(f"#!/bin/sh\n{script or itself}\n")
        file.chmod(0o755)
        return folder

    def use(self, release: Path, name: str = "current") -> None:
        (self.root / "opt/edge-fea" / name).symlink_to(f"releases/{release.name}")

    def current(self) -> str:
        return (self.root / "opt/edge-fea/current").resolve().name

    def clips(self) -> int:
        with ClipReader(self.database, busy_timeout=1) as reader:
            return reader.count(ClipFilter(running=True))

    def record(self, minute: int) -> None:
        with ClipRecorder(self.database, busy_timeout=1, now=NOON) as recorder:
            recorder.save(make_clip(minute))


def make_place(folder: Path) -> Place:
    """A place with its settings and one clip."""
    root = folder / "root"
    deploy = Path(shutil.copytree(REPOSITORY / "deploy", folder / "deploy"))
    for part in (*PLACES, "/elsewhere"):
        (root / part.lstrip("/")).mkdir(parents=True)
    for script in (deploy / "lib").glob("*.sh"):
        text = script.read_text()
        for part in PLACES:
            text = text.replace(part, f"{root}{part}")
        script.write_text(text)
    made = Place(root, deploy)
    (root / "etc/edge-fea/edge-fea.toml").write_text(
        f'[store]\ndatabase = "{made.database}"\n[device]\nid = "bed-9"\n'
    )
    made.record(0)
    return made
