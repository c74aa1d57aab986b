"""Runs on the device: opens the camera as edge-fea does, and prints what came as JSON.

The product's own way is used throughout: the settings name the source, ``open_source`` makes it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_fea.capture.clock import SystemClock
from edge_fea.capture.opening import open_source
from edge_fea.capture.turning import turned
from edge_fea.config import CaptureSettings
from edge_fea.errors import SourceError

FIRST = Path("/opt/camera/0000.jpg")


def pictures() -> list[dict[str, Any]]:
    """For each way to turn the picture: its shape, and how like it is to the file that is shown."""
    shown = cv2.imread(str(FIRST), cv2.IMREAD_GRAYSCALE)
    results = []
    for rotation in (0, 90, 270):
        for mirror in (False, True):
            if rotation == 0 and mirror:
                continue  # flips are asked of the camera, and this one says it did and does not
            wanted = {"width": 640, "height": 480, "rotation": rotation, "mirror": mirror}
            settings = CaptureSettings.model_validate(wanted)
            with open_source(settings, SystemClock()) as source:
                pixels = next(iter(source.frames())).pixels
            expected = turned(shown, rotation, mirror)
            same = pixels.shape == expected.shape
            results.append(
                {
                    **wanted,
                    "shape": pixels.shape,
                    "contiguous": pixels.flags.c_contiguous,
                    "alike": float(np.corrcoef(pixels.ravel(), expected.ravel())[0, 1])
                    if same
                    else 0.0,
                }
            )
    return results


def buffers(frames: int) -> dict[str, Any]:
    """How many files are open after some frames and after many; the format of the camera."""
    settings = CaptureSettings(width=640, height=480, frame_rate=30)
    counts = []
    with open_source(settings, SystemClock()) as source:
        camera: Any = source
        for number, _ in enumerate(source.frames(), start=1):
            if number in (frames // 2, frames):
                counts.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 (names only)
            if number == frames:
                break
        stream = camera._camera.camera_configuration()["lores"]
    return {"files": counts, "format": stream["format"]}


def refusals() -> list[str]:
    """What is said where the camera cannot do what is asked for."""
    said = []
    for wanted in ({"exposure": "long"}, {"camera": 7}):
        settings = CaptureSettings.model_validate({"width": 640, "height": 480, **wanted})
        try:
            with open_source(settings, SystemClock()):
                said.append("")
        except SourceError as error:
            said.append(str(error))
    return said


def main() -> None:
    """Print the result of the function that is named."""
    results: dict[str, Any] = {
        "pictures": pictures,
        "buffers": lambda: buffers(int(sys.argv[2])),
        "refusals": refusals,
    }
    print(json.dumps(results[sys.argv[1]]()))


main()
