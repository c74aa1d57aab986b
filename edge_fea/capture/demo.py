"""A staged recording: a portrait that moves, goes away, is joined, fades, and all the rest.

Each scene brings about one outcome, so that a demonstration and the tests meet every one of them
on a real face. The portrait is a public-domain photograph that scikit-image ships (extra `demo`);
the pictures are drawn in memory, one at a time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from edge_fea.capture.frame import Frame
from edge_fea.errors import SourceUnavailable

Grey = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 640, 480
# The head and shoulders in scikit-image's astronaut.png, and the face's place and radius there.
_CUT = (slice(0, 300), slice(85, 365))
_FACE_X, _FACE_Y, _FACE_RADIUS = 140, 118, 75


@dataclass(frozen=True, slots=True)
class Scene:
    """Some seconds of the recording, and the outcome that most of its frames must have."""

    outcome: str
    seconds: int
    places: tuple[tuple[float, float], ...] = ((0.5, 0.45),)
    """Where faces are, as shares of the frame."""

    scale: float = 1.2
    sway: float = 1.0
    """How much the face moves; 0 is a photograph."""

    yaw: float = 0.0
    """Degrees that the head is turned by."""

    light: float = 1.0
    """Every pixel times this."""

    blur: float = 0.0
    """Standard deviation of a Gaussian, pixels."""

    lure: bool = False
    """Whether a pattern hangs on the wall that Haar takes for a face."""


SCENES: tuple[Scene, ...] = (
    Scene("valid", 210),
    Scene("no_face", 20, places=()),
    Scene("ambiguous", 20, places=((0.3, 0.45), (0.7, 0.45))),
    Scene("valid", 50, scale=1.5),
    # Here, after 300 seconds, the first clip ends.
    Scene("valid", 40),
    Scene("face_too_small", 20, scale=0.52),
    Scene("valid", 10),
    Scene("off_zone", 20, places=((0.1, 0.45),), scale=1.0),
    Scene("too_dark", 20, light=0.1),
    Scene("too_bright", 20, light=2.6),
    Scene("blurred", 20, blur=12.0),
    Scene("turned_away", 20, yaw=48.0),
    Scene("not_a_face", 20, places=(), lure=True),
    Scene("not_live", 80, sway=0.0),
    Scene("capture_lost", 10),
    Scene("paused", 20),
    Scene("valid", 20),
)
ZONE = (0.2, 0.0, 1.0, 1.0)
"""The patient's zone for which the scenes are staged."""


class DemoSource:
    """Yields the staged recording, as fast as it is read; the same pictures at every run."""

    duration = float(sum(scene.seconds for scene in SCENES))

    def __init__(self, rate: float, recorded_at: datetime) -> None:
        self.rate = rate
        self.recorded_at = recorded_at
        self._portrait, self._mask = _portrait()
        self._room = _room()
        self._noise = np.random.default_rng(0).normal(0.0, 2.0, self._room.shape).astype(np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def frames(self) -> Iterator[Frame]:
        """The staged frames; in a scene of lost capture there are none."""
        for sequence in range(int(self.duration * self.rate)):
            monotonic = sequence / self.rate
            scene = scene_at(monotonic)
            if scene.outcome != "capture_lost":
                wall = self.recorded_at + timedelta(seconds=monotonic)
                yield Frame(sequence, monotonic, wall, self.draw(scene, monotonic, sequence))

    @staticmethod
    def is_paused(monotonic: float) -> bool:
        """Whether the staged caregiver has paused the watching at this moment."""
        return scene_at(monotonic).outcome == "paused"

    def draw(self, scene: Scene, time: float, sequence: int) -> Grey:
        """One frame of a scene: uint8 (480, 640), ``time`` seconds into the recording."""
        picture = self._room.copy()
        for place in scene.places:
            self._put(picture, scene, place, time)
        if scene.lure:
            _hang_lure(picture)
        if scene.blur:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), scene.blur), np.float32)
        # A sensor's noise, drawn once and shifted: drawing it anew costs more than all the rest.
        noise = np.roll(self._noise, 7919 * sequence)
        return np.asarray(np.clip(picture * scene.light + noise, 0, 255), np.uint8)

    def _put(
        self,
        picture: npt.NDArray[np.float32],
        scene: Scene,
        place: tuple[float, float],
        time: float,
    ) -> None:
        turn = 2 * math.pi * time
        x = place[0] * WIDTH + scene.sway * 14 * math.sin(turn / 7)
        y = place[1] * HEIGHT + scene.sway * 9 * math.sin(turn / 5)
        scale = scene.scale * (1 + scene.sway * 0.05 * math.sin(turn / 23))
        portrait, mask = self._portrait, self._mask
        if scene.yaw:
            portrait, mask = _turned(portrait, scene.yaw), _turned(mask, scene.yaw)
        to_frame = np.array(
            [[scale, 0, x - scale * _FACE_X], [0, scale, y - scale * _FACE_Y]], np.float32
        )
        size = (WIDTH, HEIGHT)
        share = cv2.warpAffine(mask, to_frame, size)
        picture *= 1 - share
        picture += share * cv2.warpAffine(portrait, to_frame, size)


def scene_at(monotonic: float) -> Scene:
    """The scene that is on at this moment; the last one after its end."""
    left = monotonic
    for scene in SCENES:
        left -= scene.seconds
        if left < 0:
            return scene
    return SCENES[-1]


def _portrait() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    try:
        file = files("skimage.data").joinpath("astronaut.png")
    except ModuleNotFoundError as error:
        raise SourceUnavailable(
            "the demo's portrait comes with scikit-image: pip install 'edge-fea[demo]'"
        ) from error
    pixels = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    portrait = np.asarray(pixels, np.float32)[_CUT]
    # A soft oval around head and shoulders, so that the cut's edge is no feature.
    mask = np.zeros(portrait.shape, np.float32)
    cv2.ellipse(mask, (140, 150), (115, 135), 0, 0, 360, (1.0,), -1)
    return portrait, np.asarray(cv2.GaussianBlur(mask, (0, 0), 8), np.float32)


def _turned(picture: npt.NDArray[np.float32], degrees: float) -> npt.NDArray[np.float32]:
    """The head turned about its vertical axis, as if painted on a cylinder."""
    height, width = picture.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    seen = np.arcsin(np.clip((x - _FACE_X) / _FACE_RADIUS, -1, 1)) + math.radians(degrees)
    shown = _FACE_X + _FACE_RADIUS * np.sin(np.clip(seen, -np.pi / 2, np.pi / 2))
    on_head = np.abs(x - _FACE_X) < _FACE_RADIUS
    from_x = np.where(on_head, shown, x).astype(np.float32)
    return np.asarray(cv2.remap(picture, from_x, y, cv2.INTER_LINEAR), np.float32)


def _room() -> npt.NDArray[np.float32]:
    """A wall with a little structure, in which Haar finds nothing."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    wall = 120 + 25 * np.sin(x / 97.0) + 15 * np.cos(y / 71.0)
    return np.asarray(wall, np.float32)


def _hang_lure(picture: npt.NDArray[np.float32]) -> None:
    """Bright and dark bars in the order in which a face has them: what Haar looks for."""
    left, top, side = 260, 150, 120
    tile = picture[top : top + side, left : left + side]
    tile[:] = 200
    for x in (0.3, 0.7):
        cv2.ellipse(tile, (int(x * side), int(0.4 * side)), (14, 9), 0, 0, 360, (60.0,), -1)
    tile[int(0.28 * side) : int(0.32 * side), 20:100] = 90
    tile[int(0.74 * side) : int(0.8 * side), 40:80] = 90
    tile[int(0.45 * side) : int(0.65 * side), 55:65] = 230
