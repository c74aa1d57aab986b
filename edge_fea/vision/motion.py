"""Facial motion energy: how much the face itself changes within about a second."""

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.vision.boxes import Grey

_SIDE = 48
# The two frames whose distance is nearest to a second are compared, whatever the frame rate; at
# slow and odd rates they can be this far apart.
_LEAST_S, _MOST_S = 0.75, 1.95
# Haar's boxes tremble by a few percent; a larger shift is no tremble and is not undone.
_LARGEST_SHIFT = 4.0
# What the shift brings in at the edges is left out.
_EDGE = 6


class MotionEnergy:
    """Compares the crop of a valid frame with the one of about a second before."""

    def __init__(self) -> None:
        self._before: npt.NDArray[np.float32] | None = None
        self._before_at = 0.0
        self._last_at = 0.0
        self._window = cv2.createHanningWindow((_SIDE, _SIDE), cv2.CV_32F)

    def since_a_second_ago(self, crop: Grey, monotonic: float) -> float | None:
        """Mean absolute change of the aligned crop, over its mean luma; 0 is a still face.

        None until a second has gone by since the frame that is remembered, and after a gap.
        Exposure is divided out; the box's tremble is undone by phase correlation.
        """
        age, step = monotonic - self._before_at, monotonic - self._last_at
        self._last_at = monotonic
        # The next frame, a step later, may be nearer to a second than this one.
        if self._before is not None and (age < _LEAST_S or age + step / 2.0 < 1.0):
            return None
        now = _normalised(crop)
        before, self._before, self._before_at = self._before, now, monotonic
        if before is None or age > _MOST_S:
            return None
        # phaseCorrelate multiplies the window into its arguments: it gets copies.
        (dx, dy), _ = cv2.phaseCorrelate(before.copy(), now.copy(), self._window)
        moved = now
        if max(abs(dx), abs(dy)) <= _LARGEST_SHIFT:
            back = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
            size = (_SIDE, _SIDE)
            moved = np.asarray(
                cv2.warpAffine(
                    now, back, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
                ),
                np.float32,
            )
        inner = slice(_EDGE, _SIDE - _EDGE)
        return float(np.abs(moved - before)[inner, inner].mean())


def _normalised(crop: Grey) -> npt.NDArray[np.float32]:
    small = cv2.resize(crop, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small / max(1.0, float(small.mean())), np.float32)
