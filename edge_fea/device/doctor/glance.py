"""One picture from the camera, taken in a process of its own: a driver that hangs hangs alone."""

import contextlib
import subprocess
import sys

from edge_fea.capture.clock import SystemClock
from edge_fea.capture.opening import open_source
from edge_fea.config import CaptureSettings
from edge_fea.errors import EdgeFeaError

# Loading libcamera takes seconds on a Pi Zero.
_LOADING_S = 20.0


def glance(settings: CaptureSettings) -> str | None:
    """Open the source, take a picture, let go of it; what went wrong, or None.

    The picture is looked at by nobody. For when nothing records: a camera has one user.
    """
    longest = settings.timeout_s + _LOADING_S
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_fea.device.doctor.glance", settings.model_dump_json()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=longest)
    except subprocess.TimeoutExpired:
        process.kill()
        # One that the kernel holds cannot be ended, and is not waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1.0)
        return f"no picture within {longest:.0f} s: it hangs"
    if said.strip():
        return said.strip()
    return None if process.returncode == 0 else "the camera's software ended without a word"


def _look(settings: CaptureSettings) -> str:
    try:
        with open_source(settings, SystemClock()) as source:
            next(iter(source.frames()))
    except EdgeFeaError as error:
        return str(error)
    except StopIteration:
        return "the source has no picture"
    return ""


if __name__ == "__main__":
    sys.stdout.write(_look(CaptureSettings.model_validate_json(sys.argv[1])))
