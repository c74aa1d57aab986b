"""Whether a face can be read: five measured figures, each with a threshold from the settings.

What the default thresholds do to sharp frontal faces and to degraded ones is stated beside each
figure; the pictures were KDEF (frontal and half profile) and FER+ validation.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from edge_fea.config import QualitySettings
from edge_fea.vision.boxes import Grey
from edge_fea.vision.observation import Outcome

_SIDE = 32  # figures are taken at this size, so that they do not depend on the distance
_SATURATED = 250


@dataclass(frozen=True, slots=True)
class Quality:
    """The measured figures of one face."""

    side: int
    """Side of the bounding box in pixels of the frame."""

    luma: float
    """Mean of the crop, 0 to 255."""

    saturated: float
    """Share of the crop at 250 or more, 0 to 1."""

    sharpness: float
    """Variance of the Laplacian over the variance of the crop, at 32 x 32.

    Sharp faces lie above 0.3 (first percentile, KDEF and FER+); a Gaussian blur of 6 % of the
    box's side, at which a mouth becomes a smear, brings 95 of 100 FER+ faces below 0.05.
    """

    symmetry: float
    """Correlation of the crop with its mirror image, the best within 3 of 32 pixels, -1 to 1.

    KDEF: frontal median 0.84 (first percentile 0.57), half profile median 0.46 (first percentile
    0.19). A face turned beyond a half profile falls below 0.25.
    """


def measure(crop: Grey, side: int) -> Quality:
    """Measure ``crop``, uint8 (size, size), of a face whose box is ``side`` pixels wide."""
    interpolation = cv2.INTER_AREA if crop.shape[0] >= _SIDE else cv2.INTER_LINEAR
    small = cv2.resize(crop, (_SIDE, _SIDE), interpolation=interpolation).astype(np.float32)
    laplacian = cv2.Laplacian(small, cv2.CV_32F)
    # 25 is the variance of faint sensor noise: a black crop must not count as sharp.
    sharpness = float(laplacian.var() / (small.var() + 25.0))
    return Quality(
        side=side,
        luma=float(crop.mean()),
        saturated=float((crop >= _SATURATED).mean()),
        sharpness=sharpness,
        symmetry=_symmetry(small),
    )


def _symmetry(small: np.ndarray) -> float:
    best = -1.0
    for shift in range(-3, 4):
        part = small[:, 4 + shift : _SIDE - 4 + shift]
        part = part - part.mean()
        energy = float((part * part).sum())
        if energy > 0:
            best = max(best, float((part * part[:, ::-1]).sum()) / energy)
    return best


def judge(quality: Quality, limits: QualitySettings) -> Outcome:
    """VALID, or the first thing that keeps the face from being read."""
    if quality.side < limits.minimum_face:
        return Outcome.FACE_TOO_SMALL
    if quality.luma < limits.dark_below:
        return Outcome.TOO_DARK
    if quality.luma > limits.bright_above or quality.saturated > limits.saturated_above:
        return Outcome.TOO_BRIGHT
    if quality.sharpness < limits.sharpness_below:
        return Outcome.BLURRED
    if quality.symmetry < limits.symmetry_below:
        return Outcome.TURNED_AWAY
    return Outcome.VALID


def judge_empty_frame(picture: Grey, limits: QualitySettings) -> Outcome:
    """Why no face was found: the light in the whole frame, or simply none there."""
    sample = picture[::8, ::8]
    if float(sample.mean()) < limits.dark_frame_below:
        return Outcome.TOO_DARK
    if float((sample >= _SATURATED).mean()) > limits.saturated_frame_above:
        return Outcome.TOO_BRIGHT
    return Outcome.NO_FACE
