"""A device whose camera is libcamera's virtual one, driven by the real picamera2 and libcamera.

Debian 13, the release whose libcamera holds the virtual camera, in a container with a real systemd.
What is put between is in ``virtual_camera/``: memory for buffers, a pace, a stall. The root file
system is made once (some minutes, from the network) and kept; see ``blank.kept``.
"""

import hashlib
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import cv2

from edge_fea.capture.demo import DemoSource, Scene
from tests.system.blank import kept
from tests.system.box import EDGE_FEA, REPOSITORY, UNITS, Box

PARTS = Path(__file__).parent / "virtual_camera"
# What picamera2 needs to be built, libcamera, and the compiler that makes the shim.
PACKAGES = (
    *("ca-certificates", "dbus", "kmod", "procps", "systemd", "systemd-sysv", "tzdata", "udev"),
    *("gcc", "libc6-dev", "libcap-dev", "python3", "python3-dev", "python3-venv"),
    "python3-libcamera",
)
STALL = "/run/edge-fea/stall"
"""The camera stalls for as long as this file exists."""

PYTHON = "/opt/environment/bin/python"
SHIM = "/usr/local/lib/camera_shim.so"
RATE = 4
# Two streams of two planes each.
CAMERA = f"LD_PRELOAD={SHIM} CAMERA_FPS={RATE} CAMERA_MAPS=4 CAMERA_STALL={STALL}"

_LAUNCHER = f"""#!/bin/sh
export PYTHONPATH=/opt/source/tests/system/virtual_camera:/opt/source
exec {PYTHON} -m edge_fea "$@"
"""
_DROP_IN = f"""
[Service]
Environment={CAMERA}
RestartSec=1
"""
_SETTINGS = """
[capture]
width = 640
height = 480
timeout_s = 2.0
[clip]
checkpoint_s = 1
"""


def camera_root() -> Path:
    """The root file system, made where what it is made from has changed."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(one for one in project["optional-dependencies"]["pi"] if one.startswith("picamera2")),
    ]
    source = (PARTS / "camera_shim.c").read_text()
    key = hashlib.sha256("\n".join([*wanted, *PACKAGES, source]).encode()).hexdigest()[:8]
    root = kept() / f"camera-{key}"
    if not root.exists():
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        included = f"--include={','.join(PACKAGES)}"
        debian = ["mmdebstrap", "--quiet", "--variant=minbase", included, "trixie", str(partial)]
        subprocess.run(debian, check=True, timeout=1200)
        shutil.copy(PARTS / "camera_shim.c", partial / "usr/local/src")
        for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
            shutil.copy(file, f"{partial}{file}")
        shim = ("gcc", "-shared", "-fPIC", "-O2", "-o", SHIM, "/usr/local/src/camera_shim.c")
        environment = ("python3", "-m", "venv", "--system-site-packages", "/opt/environment")
        packages = (PYTHON, "-m", "pip", "install", "--quiet", "--no-cache-dir", *wanted)
        for command in (shim, environment, packages):
            subprocess.run(["chroot", partial, *command], check=True, timeout=900)
        partial.rename(root)
    return root


def draw_pictures(folder: Path, stage: DemoSource, scenes: Iterable[Scene]) -> int:
    """One picture for each second of the scenes, as the virtual camera wants them; how many."""
    number = 0
    for scene in scenes:
        for _ in range(scene.seconds):
            # A second of this camera moves the face as far as a quarter of a second of the stage.
            picture = stage.draw(scene, number / RATE, number)
            coloured = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
            cv2.imwrite(str(folder / f"{number:04d}.jpg"), coloured)
            number += 1
    return number


class CameraBox(Box):
    """The device; ``pictures`` is a folder of what its camera sees, over and over."""

    patience_s = 300.0

    def __init__(self, folder: Path, pictures: Path, settings: str) -> None:
        self.lower = camera_root()
        self.shown = {"/opt/source": REPOSITORY, "/opt/camera": pictures}
        self._settings = settings
        super().__init__(folder)

    def _furnish(self) -> None:
        super()._furnish()
        self.write(EDGE_FEA, _LAUNCHER)
        self.write(
            "/usr/share/libcamera/pipeline/virtual/virtual.yaml",
            (PARTS / "virtual.yaml").read_text(),
        )
        self.write("/etc/edge-fea/edge-fea.toml", _SETTINGS + self._settings)
        unit = "/etc/systemd/system/edge-fea.service"
        self.write(unit, (UNITS / "edge-fea.service").read_text())
        self.write(f"{unit}.d/camera.conf", _DROP_IN)
        self.prepare("systemctl enable edge-fea.service")

    def probe(self, *arguments: str) -> str:
        """Run ``virtual_camera/probe.py`` with a camera of its own; what it prints."""
        script = "/opt/source/tests/system/virtual_camera/probe.py"
        path = f"PYTHONPATH={Path(script).parent}:/opt/source"
        camera = [word for word in CAMERA.split() if not word.startswith("CAMERA_STALL=")]
        words = ["env", path, *camera, "LIBCAMERA_LOG_LEVELS=*:ERROR", PYTHON, script, *arguments]
        return self.run("sh", "-c", '"$@" 2>/dev/null', "sh", *words)
