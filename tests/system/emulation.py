"""arm64 programs on another machine: QEMU's user emulation, registered with the kernel."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.blank import kept

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_NAME = "edge-fea-arm64"
# The beginning of a 64-bit little-endian ELF program for AArch64, and which bits of it count.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# Bookworm's own, 7.2, ends ai-edge-litert with an illegal instruction.
_LEAST = 8
# What a Pi 4 has; the default, everything that QEMU knows, is several times slower.
CPU = "cortex-a72"


@contextmanager
def arm64() -> Iterator[None]:
    """arm64 programs run in here, in containers too. Needs root; nothing of it stays."""
    if platform.machine() == "aarch64":
        yield
        return
    if not (_BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT], check=True)
    entry = _BINFMT / _NAME
    if entry.exists():
        entry.write_text("-1")
    # F: the interpreter is opened now, so that it is found in other roots.
    (_BINFMT / "register").write_text(f":{_NAME}:M::{_MAGIC}:{_MASK}:{_emulator()}:F")
    os.environ["QEMU_CPU"] = CPU
    try:
        yield
    finally:
        # Another run may have taken it away.
        if entry.exists():
            entry.write_text("-1")


def _emulator() -> Path:
    """A QEMU that is new enough: this machine's, or Debian's backport, fetched once."""
    fetched = kept() / "qemu" / "usr" / "bin" / "qemu-aarch64"
    for found in (shutil.which("qemu-aarch64-static"), shutil.which("qemu-aarch64"), fetched):
        if found and Path(found).exists() and _version(Path(found)) >= _LEAST:
            return Path(found)
    with tempfile.TemporaryDirectory() as folder:
        _fetch(Path(folder))
        (package,) = Path(folder).glob("qemu-user_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, kept() / "qemu"], check=True)
    return fetched


def _version(emulator: Path) -> int:
    said = subprocess.run([emulator, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+)\.", said.stdout)
    return int(found[1]) if found else 0


def _fetch(folder: Path) -> None:
    # From where this machine has its packages, without a change of what apt knows.
    sites = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    site = sites.stdout.split()[0]
    (folder / "sources.list").write_text(f"deb {site} bookworm-backports main\n")
    (folder / "lists").mkdir()
    options = [
        *("-o", f"Dir::Etc::SourceList={folder}/sources.list"),
        *("-o", "Dir::Etc::SourceParts=-"),
        *("-o", f"Dir::State::Lists={folder}/lists"),
        *("-o", "APT::Sandbox::User=root"),
    ]
    for verb in (["update"], ["download", "qemu-user"]):
        subprocess.run(["apt-get", "--quiet", *options, *verb], check=True, cwd=folder)
