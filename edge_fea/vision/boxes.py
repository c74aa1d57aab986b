"""Bounding boxes in a frame. Needs no OpenCV, so that whoever only reads data does not load it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
"""A grey picture: uint8, shape (height, width), 0 black to 255 white."""


class Box(NamedTuple):
    """A face's bounding box in pixels of the frame; x to the right, y downwards."""

    x: int
    y: int
    width: int
    height: int

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    def scaled(self, factor: float) -> "Box":
        """The same box on a picture ``factor`` times as large."""
        return Box(*(round(value * factor) for value in self))

    def shifted(self, dx: int, dy: int) -> "Box":
        """The same box seen from an origin ``dx``, ``dy`` pixels up and to the left."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def grown(self, factor: float) -> "Box":
        """A box ``factor`` times as wide and high about the same centre."""
        cx, cy = self.centre
        width, height = self.width * factor, self.height * factor
        return Box(round(cx - width / 2), round(cy - height / 2), round(width), round(height))

    def within(self, width: int, height: int) -> "Box":
        """The part of the box that lies inside a picture of ``width`` x ``height`` pixels."""
        left, top = min(max(self.x, 0), width), min(max(self.y, 0), height)
        right = max(min(self.x + self.width, width), left)
        bottom = max(min(self.y + self.height, height), top)
        return Box(left, top, right - left, bottom - top)

    def overlap(self, other: "Box") -> float:
        """Intersection over union with ``other``, 0 to 1."""
        dx = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        dy = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if dx <= 0 or dy <= 0:
            return 0.0
        intersection = dx * dy
        return intersection / (self.width * self.height + other.width * other.height - intersection)
