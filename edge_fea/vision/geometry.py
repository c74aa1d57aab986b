"""The part of a picture inside a box, and the crop that the network sees."""

import cv2
import numpy as np

from edge_fea.vision.boxes import Box, Grey


def cut(picture: Grey, box: Box) -> Grey:
    """The part of ``picture`` inside ``box``, a view; empty where they do not meet."""
    height, width = picture.shape
    inside = box.within(width, height)
    return picture[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width]


def face_crop(picture: Grey, box: Box, size: int, margin: float = 0.0) -> Grey:
    """Cut a face out as the network wants it: uint8, shape (size, size).

    ``margin`` is the share of the box's side that is added on each side. What lies beyond the
    edge of the picture is filled with the nearest pixel, so that a face at the edge keeps its
    shape. Shrinking averages over areas (no aliasing), growing interpolates linearly. Training
    and device both crop with this function, and with the margin of the network's manifest.
    """
    wanted = box.grown(1.0 + 2.0 * margin)
    inside = cut(picture, wanted)
    if inside.size == 0:
        raise ValueError(f"box {tuple(box)} lies outside the picture {picture.shape[::-1]}")
    left, top = max(-wanted.x, 0), max(-wanted.y, 0)
    right = wanted.width - left - inside.shape[1]
    bottom = wanted.height - top - inside.shape[0]
    if left or top or right or bottom:
        inside = np.asarray(
            cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8
        )
    shrinks = inside.shape[0] > size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (size, size), interpolation=interpolation), np.uint8)
