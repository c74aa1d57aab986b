"""Viola-Jones face detection: OpenCV's Haar cascades on a reduced picture.

Viola & Jones 2004, "Robust real-time face detection", International Journal of Computer Vision 57.
"""

from pathlib import Path

import cv2
import numpy as np

from edge_fea.errors import CascadeMissing
from edge_fea.vision.geometry import Box, Grey

FRONTAL = "haarcascade_frontalface_default.xml"
PROFILE = "haarcascade_profileface.xml"


class HaarDetector:
    """Finds faces of at least ``minimum`` pixels (side of the box) in grey pictures.

    The picture is first reduced so that the smallest wanted face just covers the cascade's own
    window (24 x 24 pixels for the frontal cascade): a search costs by the area, and pixels finer
    than that window cannot change what it finds. ``scale_step`` is the ratio between two sizes
    tried: smaller finds more and costs more. ``neighbours`` is how many overlapping hits make a
    face: lower it and curtains turn into faces, raise it and dim faces are lost.

    Raises CascadeMissing where OpenCV carries no cascade (OpenCV 5).
    """

    def __init__(
        self,
        minimum: int,
        cascade: str = FRONTAL,
        scale_step: float = 1.15,
        neighbours: int = 5,
    ) -> None:
        self.minimum = minimum
        self._scale_step = scale_step
        self._neighbours = neighbours
        self._cascade = _load(cascade)
        self._window = max(self._cascade.getOriginalWindowSize())

    def search(self, picture: Grey, maximum: int | None = None) -> list[Box]:
        """All faces in ``picture``, the largest first, none larger than ``maximum`` pixels."""
        reduction = min(1.0, self._window / self.minimum)
        reduced = picture
        if reduction < 1.0:
            reduced = np.asarray(
                cv2.resize(picture, None, fx=reduction, fy=reduction, interpolation=cv2.INTER_AREA),
                np.uint8,
            )
        smallest = max(self._window, int(self.minimum * reduction))
        largest = 0 if maximum is None else max(smallest + 1, int(maximum * reduction))
        found = self._cascade.detectMultiScale(
            reduced,
            scaleFactor=self._scale_step,
            minNeighbors=self._neighbours,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        boxes = [Box(*(int(value) for value in row)).scaled(1.0 / reduction) for row in found]
        # The order of OpenCV's answer varies with its threads; ties are broken by place.
        return sorted(boxes, key=lambda box: (-box.width, box.x, box.y))

    def search_around(self, picture: Grey, box: Box, reach: float = 2.0) -> list[Box]:
        """Faces near ``box`` and about as large, in a window ``reach`` times the box."""
        height, width = picture.shape
        window = box.grown(reach).within(width, height)
        if min(window.width, window.height) < self.minimum:
            return []
        part = picture[window.y : window.y + window.height, window.x : window.x + window.width]
        near = self._with_minimum(max(self.minimum, int(box.width * 0.7)))
        return [
            found.shifted(window.x, window.y)
            for found in near.search(part, maximum=int(box.width * 1.5))
        ]

    def _with_minimum(self, minimum: int) -> "HaarDetector":
        other = object.__new__(HaarDetector)
        other.__dict__.update(self.__dict__)
        other.minimum = minimum
        return other


def _load(name: str) -> "cv2.CascadeClassifier":
    if not hasattr(cv2, "CascadeClassifier"):
        raise CascadeMissing(
            f"OpenCV {cv2.__version__} has no Haar cascades: "
            "install 'opencv-python-headless<5' (OpenCV 5 dropped them)"
        )
    for folder in _cascade_folders():
        file = folder / name
        if file.is_file():
            cascade = cv2.CascadeClassifier(str(file))
            if not cascade.empty():
                return cascade
    searched = ", ".join(str(folder) for folder in _cascade_folders())
    raise CascadeMissing(f"no usable {name} in {searched}: install 'opencv-python-headless<5'")


def _cascade_folders() -> list[Path]:
    # Debian's python3-opencv keeps the cascades outside the package, in opencv-data.
    packaged = getattr(getattr(cv2, "data", None), "haarcascades", None)
    return [
        *([Path(packaged)] if packaged else []),
        Path("/usr/share/opencv4/haarcascades"),
    ]
