"""Pictures turned upright: for cameras that hang upside down or on their side."""

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Literal, Self

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.capture.frame import Frame, Source

Rotation = Literal[0, 90, 180, 270]

_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def turned(
    pixels: npt.NDArray[np.uint8], rotation: Rotation, mirror: bool
) -> npt.NDArray[np.uint8]:
    """``pixels`` turned clockwise by ``rotation`` degrees, then left and right swapped.

    uint8 (height, width), contiguous where anything was done; with 90 and 270 the sides change
    places.
    """
    if rotation != 0:
        pixels = np.asarray(cv2.rotate(pixels, _CODES[rotation]), np.uint8)
    return np.asarray(cv2.flip(pixels, 1), np.uint8) if mirror else pixels


class Turned:
    """A source whose frames are turned upright, whatever it is: nothing else is changed."""

    def __init__(self, source: Source, rotation: Rotation, mirror: bool) -> None:
        self.source = source
        self.rate = source.rate
        self._rotation: Rotation = rotation
        self._mirror = mirror

    def __enter__(self) -> Self:
        self.source.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.source.__exit__(kind, error, trace)

    def frames(self) -> Iterator[Frame]:
        """The frames due of the source, turned."""
        for frame in self.source.frames():
            yield replace(frame, pixels=turned(frame.pixels, self._rotation, self._mirror))
