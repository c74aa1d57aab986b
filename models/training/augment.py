"""Augmentation for a sick-room: what a small camera at the bedside does to a face.

One warp cuts the face out of its surroundings with the shifts and turns of a jittering box; then
come light, occlusion, resolution, blur and noise. All randomness is from the generator given.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.training.data import Picture

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Strength:
    """How much of each; 0 switches it off. Chances are per picture, angles in degrees."""

    flip: float = 0.5
    turn: float = 12.0
    shift: float = 0.06
    scale: float = 0.12
    light: float = 0.8
    ramp: float = 0.2
    dark: float = 0.12
    over: float = 0.1
    occlusion: float = 0.25
    coarse: float = 0.35
    blur: float = 0.15
    noise: float = 0.35
    infrared: float = 0.0


NONE = Strength(*([0.0] * 13))
"""Nothing but the crop itself: for validation and calibration."""


def augment(
    picture: Picture, margin: float, size: int, rng: np.random.Generator, strength: Strength
) -> Picture:
    """One training crop: uint8 (size, size), or (size, size, 3) of a picture in colour.

    ``picture`` shows the face box and ``margin`` of its side around it on each side.
    """
    values = _cut(picture, margin, size, rng, strength).astype(np.float32)
    if rng.random() < strength.light:
        values = _light(values, rng)
    if rng.random() < strength.ramp:
        values = _ramp(values, rng)
    if rng.random() < strength.occlusion:
        _occlude(values, rng)
    if rng.random() < strength.over:
        values = values * rng.uniform(1.1, 1.6) + rng.uniform(0, 25)
    # Drawn for only where it is wanted: plans without it keep the batches that they had.
    if strength.infrared and rng.random() < strength.infrared:
        values = _infrared(values, rng)
    if rng.random() < strength.coarse:
        values = _coarse(values, rng)
    if rng.random() < strength.blur:
        values = _blur(values, rng)
    if rng.random() < strength.dark:
        values = _dark(values, rng)
    elif rng.random() < strength.noise:
        values = values + _noise(values, rng.uniform(1, 14), rng)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _cut(
    picture: Picture, margin: float, size: int, rng: np.random.Generator, strength: Strength
) -> Picture:
    side = picture.shape[0]
    box = side / (1 + 2 * margin)
    angle = math.radians(rng.normal(0, strength.turn / 2))
    # Logarithmic, so that growing and shrinking are equally likely.
    zoom = size / box * math.exp(rng.normal(0, strength.scale / 2))
    stretch = math.exp(rng.normal(0, strength.scale / 6))
    mirror = -1.0 if rng.random() < strength.flip else 1.0
    dx, dy = rng.normal(0, strength.shift / 2, 2) * size
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    linear = np.array([[mirror * cos * stretch, -sin], [mirror * sin * stretch, cos]])
    # Pixel centres: (side - 1) / 2 is the middle of the picture, (size - 1) / 2 that of the crop.
    offset = (size - 1) / 2 + np.array([dx, dy]) - linear @ np.full(2, (side - 1) / 2)
    matrix = np.hstack([linear, offset[:, None]])
    return np.asarray(
        cv2.warpAffine(
            picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def _light(values: Float, rng: np.random.Generator) -> Float:
    gamma = math.exp(rng.normal(0, 0.3))
    bent = 255.0 * (values / 255.0) ** np.float32(gamma)
    mean = float(bent.mean())
    return (bent - mean) * np.float32(rng.uniform(0.5, 1.4)) + mean + rng.normal(0, 18)


def _ramp(values: Float, rng: np.random.Generator) -> Float:
    # A window or a bedside lamp lights the face from one side.
    size = values.shape[0]
    direction = rng.uniform(0, 2 * math.pi)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    ramp = math.cos(direction) * line[None, :] + math.sin(direction) * line[:, None]
    light = 1 + np.float32(rng.uniform(0.1, 0.6)) * ramp
    return values * (light if values.ndim == 2 else light[..., None])


def _infrared(values: Float, rng: np.random.Generator) -> Float:
    # A NoIR camera at night, with its lamp beside the lens: skin is evenly bright, shadows of the
    # room are gone, and the light falls off towards the edges.
    size = values.shape[0]
    shade = cv2.GaussianBlur(values, (0, 0), 0.2 * size)
    even = values - np.float32(rng.uniform(0.4, 0.9)) * (shade - shade.mean())
    bright = (even - even.mean()) * np.float32(rng.uniform(0.5, 0.9)) + rng.uniform(110, 190)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    distance = line[:, None] ** 2 + line[None, :] ** 2
    lamp = 1 - np.float32(rng.uniform(0.05, 0.35)) * distance
    return np.asarray(bright * (lamp if values.ndim == 2 else lamp[..., None]), np.float32)


def _dark(values: Float, rng: np.random.Generator) -> Float:
    # Few photons, then the sensor's gain: the noise grows with the gain and with the root of the
    # light; without enough gain the picture stays dark.
    photons = rng.uniform(0.08, 0.4)
    gain = rng.uniform(0.4, 1.0) / photons
    light = np.clip(values, 0, 255) * photons
    noise = rng.standard_normal(values.shape, dtype=np.float32)
    return np.asarray((light + noise * np.sqrt(0.15 * light + 2.0)) * gain, np.float32)


def _coarse(values: Float, rng: np.random.Generator) -> Float:
    # A face 2 m away covers some 40 pixels of a wide lens.
    size = values.shape[0]
    side = int(rng.uniform(24, max(25, min(size, 90))))
    small = cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _blur(values: Float, rng: np.random.Generator) -> Float:
    size = values.shape[0]
    if rng.random() < 0.5:
        sigma = rng.uniform(0.006, 0.022) * size
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
    length = max(2, int(rng.uniform(0.03, 0.1) * size))
    angle = rng.uniform(0, math.pi)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    reach = np.array([math.cos(angle), math.sin(angle)]) * length / 2
    ends = [tuple(int(v) for v in np.rint(length + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(values, -1, kernel / kernel.sum()), np.float32)


def _noise(values: Float, sigma: float, rng: np.random.Generator) -> Float:
    return np.float32(sigma) * rng.standard_normal(values.shape, dtype=np.float32)


def _occlude(values: Float, rng: np.random.Generator) -> None:
    size = values.shape[0]
    grey = float(rng.uniform(10, 245))
    ink = (grey, grey, grey)  # OpenCV draws with as many of them as there are channels
    kind = rng.integers(4)
    if kind == 0:  # a hand, or anything
        centre = tuple(int(v) for v in rng.uniform(0, size, 2))
        axes = tuple(int(v) for v in rng.uniform(0.06, 0.22, 2) * size)
        cv2.ellipse(values, centre, axes, float(rng.uniform(0, 180)), 0, 360, ink, -1)
    elif kind == 1:  # a blanket or a pillow from one edge
        depth = int(rng.uniform(0.05, 0.25) * size)
        edge = rng.integers(3)
        area = (np.s_[size - depth :, :], np.s_[:, :depth], np.s_[:, size - depth :])[edge]
        values[area] = grey
    elif kind == 2:  # an oxygen tube: a thin curve under the nose, to both cheeks
        height = rng.uniform(0.6, 0.72)
        nose = (int(size * rng.uniform(0.45, 0.55)), int(size * height))
        axes = (int(size * rng.uniform(0.4, 0.6)), int(size * rng.uniform(0.04, 0.15)))
        width = max(1, int(size * 0.025))
        cv2.ellipse(values, nose, axes, float(rng.normal(0, 6)), 180, 360, ink, width)
    else:  # cut-out
        left, top = (int(v) for v in rng.uniform(0, 0.85, 2) * size)
        across, down = (int(v) for v in rng.uniform(0.08, 0.3, 2) * size)
        values[top : top + down, left : left + across] = grey
