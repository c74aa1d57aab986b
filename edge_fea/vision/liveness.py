"""Tells a face from a photograph of one: in a living face something moves.

A sleeping patient breathes and a masked one blinks; a picture on the wall does neither. Of each
face only a patch of 24 x 24 pixels of a few seconds ago is kept, in memory.
"""

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.vision.boxes import Box, Grey
from edge_fea.vision.geometry import cut

_SIDE = 24
_BLOCK = 6
# The reference is renewed this often, so that daylight that creeps over a photograph does not
# add up to a movement.
_REFRESH_S = 5.0
# Two boxes that overlap this much are the same face.
_SAME_PLACE = 0.5
# A face that has not been seen for so long starts anew.
_FORGET_S = 90.0
# After so many times the time that makes a face still, it counts as never having moved.
_LAPSE = 10.0
# Pixels of the patch that make up a pixel's surroundings (standard deviation of a Gaussian).
_AROUND = 3.0


class Stillness:
    """Measures for how long nothing has moved in the face that is held.

    ``threshold`` is the largest mean absolute change of luma in any sixteenth of the face, as a
    share of the luma around it, that still counts as nothing: sensor noise averages out to about
    0.005 there, a blink makes 0.05 and more. Since each pixel is taken against its surroundings, a
    lamp, a shadow or a cloud is no movement.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._box: Box | None = None
        self._patch: npt.NDArray[np.float32] | None = None
        self._patch_at = 0.0
        self._moved_at = 0.0
        self.has_moved = False
        """Whether anything has ever moved in this face: before that it may be a photograph."""

    def seconds_still(self, picture: Grey, box: Box, monotonic: float) -> float:
        """Seconds since something last moved, after this frame; 0 when it moves now.

        The patch is taken where the face was, not where the detector now puts the box: Haar's
        boxes tremble by themselves.
        """
        if self._box is None or self._patch is None:
            self._restart(picture, box, monotonic)
            self._moved_at = monotonic
            return 0.0
        if box.overlap(self._box) < _SAME_PLACE:
            # The face itself has gone from where it was.
            self._moved_at, self.has_moved = monotonic, True
            self._restart(picture, box, monotonic)
            return 0.0
        change = self._change(_patch(picture, self._box), self._patch)
        if change > self._threshold:
            self._moved_at = monotonic
            self.has_moved = True
            self._restart(picture, box, monotonic)
        elif monotonic - self._patch_at >= _REFRESH_S:
            self._restart(picture, self._box, monotonic)
        return monotonic - self._moved_at

    def _restart(self, picture: Grey, box: Box, monotonic: float) -> None:
        self._box, self._patch, self._patch_at = box, _patch(picture, box), monotonic

    @staticmethod
    def _change(now: npt.NDArray[np.float32], before: npt.NDArray[np.float32]) -> float:
        blocks = np.abs(now - before).reshape(_SIDE // _BLOCK, _BLOCK, _SIDE // _BLOCK, _BLOCK)
        return float(blocks.mean(axis=(1, 3)).max())


class Liveness(Enum):
    """What is known of a face."""

    UNPROVEN = "nothing has ever moved in it"
    ALIVE = "something moved not long ago"
    STILL = "something has moved in it, but not for long"


class LivePlaces:
    """The liveness of every face in the frame, each known by its place.

    A face is unproven until something has moved in it: a photograph never becomes the patient, not
    even for its first minute. A face that has moved and then lies still for ``still_s`` is a
    patient who sleeps deeply, and stays the patient's; only after ten times as long it is taken for
    a picture that somebody had touched.
    """

    def __init__(self, threshold: float, still_s: float) -> None:
        self._threshold = threshold
        self._still_s = still_s
        self._places: list[_Place] = []

    def look(self, picture: Grey, box: Box, monotonic: float) -> Liveness:
        """The liveness of the face at ``box``, after this frame."""
        self._places = [each for each in self._places if monotonic - each.seen_at <= _FORGET_S]
        place = max(self._places, key=lambda each: each.box.overlap(box), default=None)
        if place is None or place.box.overlap(box) < _SAME_PLACE:
            place = _Place(box, monotonic, Stillness(self._threshold))
            self._places.append(place)
        place.box, place.seen_at = box, monotonic
        still = place.stillness.seconds_still(picture, box, monotonic)
        if not place.stillness.has_moved or still >= _LAPSE * self._still_s:
            return Liveness.UNPROVEN
        return Liveness.STILL if still >= self._still_s else Liveness.ALIVE


@dataclass(slots=True)
class _Place:
    box: Box
    seen_at: float
    stillness: Stillness


def _patch(picture: Grey, box: Box) -> npt.NDArray[np.float32]:
    small = cv2.resize(cut(picture, box), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32)
    around = cv2.GaussianBlur(values, (0, 0), _AROUND)
    return np.asarray(values / np.maximum(around, 8.0), np.float32)
