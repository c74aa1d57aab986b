"""Viola-Jones face detection: OpenCV's Haar cascades on a reduced picture.

Viola & Jones 2004, "Robust real-time face detection", International Journal of Computer Vision 57.
"""

from pathlib import Path

import cv2
import numpy as np

from edge_fea.errors import CascadeMissing
from edge_fea.vision.boxes import Box, Grey
from edge_fea.vision.geometry import cut

FRONTAL = "haarcascade_frontalface_default.xml"
PROFILE = "haarcascade_profileface.xml"

# Sizes tried around a held face, as shares of its own.
_AROUND = (0.7, 1.5)
# There a held face is reduced to this many times the cascade's window.
_AROUND_RESOLUTION = 2.0


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

    def search(self, picture: Grey) -> list[Box]:
        """All faces in ``picture``, the largest first."""
        reduction = min(1.0, self._window / self.minimum)
        return self._detect(picture, reduction, self.minimum, None, self._neighbours)

    def search_around(self, picture: Grey, box: Box, reach: float = 2.0) -> list[Box]:
        """Faces near ``box`` and about as large, in a window ``reach`` times the box.

        Only few sizes are tried here, so a face gathers fewer hits than in a full search: the
        picture is reduced less, and fewer hits are asked for.
        """
        height, width = picture.shape
        window = box.grown(reach).within(width, height)
        smallest, largest = int(box.width * _AROUND[0]), int(box.width * _AROUND[1])
        if min(window.width, window.height) < smallest:
            return []
        reduction = min(1.0, _AROUND_RESOLUTION * self._window / box.width)
        part = cut(picture, window)
        found = self._detect(part, reduction, smallest, largest, max(1, self._neighbours - 2))
        return [face.shifted(window.x, window.y) for face in found]

    def _detect(
        self, picture: Grey, reduction: float, smallest: int, largest: int | None, neighbours: int
    ) -> list[Box]:
        reduced = picture
        if reduction < 1.0:
            size = [max(1, round(side * reduction)) for side in picture.shape[::-1]]
            reduced = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        least = max(self._window, round(smallest * reduction))
        most = 0 if largest is None else max(least + 1, round(largest * reduction))
        found = self._cascade.detectMultiScale(
            reduced,
            scaleFactor=self._scale_step,
            minNeighbors=neighbours,
            minSize=(least, least),
            maxSize=(most, most),
        )
        boxes = [Box(*(int(value) for value in row)).scaled(1.0 / reduction) for row in found]
        # The order of OpenCV's answer varies with its threads; ties are broken by place.
        return sorted(boxes, key=lambda box: (-box.width, box.x, box.y))


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
