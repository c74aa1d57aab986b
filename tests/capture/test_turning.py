"""Pictures turned upright: every source, in every way."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.capture.frame import Frame
from edge_fea.capture.opening import open_source
from edge_fea.capture.turning import Turned, turned
from edge_fea.config import CaptureSettings
from edge_fea.errors import SourceStalled
from tests.conftest import NOON, FakeClock

# An F, as a picture whose sides differ and that is like none of its turns.
F = np.array([[9, 9, 9, 9], [9, 0, 0, 0], [9, 9, 9, 0], [9, 0, 0, 0], [9, 0, 0, 0]], np.uint8)
WAYS = [(rotation, mirror) for rotation in (0, 90, 180, 270) for mirror in (False, True)]


def by_numpy(pixels: np.ndarray, rotation: int, mirror: bool) -> np.ndarray:
    """The same by other means: numpy's turns go the other way round."""
    upright = np.rot90(pixels, -rotation // 90)
    return upright[:, ::-1] if mirror else upright


@pytest.mark.parametrize(("rotation", "mirror"), WAYS)
def test_a_picture_is_turned_clockwise_and_then_mirrored(rotation: Any, mirror: bool) -> None:
    result = turned(F, rotation, mirror)
    np.testing.assert_array_equal(result, by_numpy(F, rotation, mirror))
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous


def test_a_quarter_turn_clockwise_takes_the_left_side_up() -> None:
    assert turned(F, 90, False)[0].tolist() == [9, 9, 9, 9, 9]


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([90, 180, 270]))
def test_turning_back_gives_the_same_picture(height: int, width: int, rotation: Any) -> None:
    pixels = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    back: Any = 360 - rotation
    np.testing.assert_array_equal(turned(turned(pixels, rotation, False), back, False), pixels)


class Still:
    """A source of one picture that then stalls; it keeps the error that it was left with."""

    rate = 4.0

    def __init__(self) -> None:
        self.left_with: BaseException | None = None
        self.opened = False

    def __enter__(self) -> Self:
        self.opened = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.left_with = error

    def frames(self) -> Iterator[Frame]:
        yield Frame(3, 0.75, NOON, F)
        raise SourceStalled("no frame for 5 s", 5.0)


def test_a_turned_source_changes_nothing_but_the_picture() -> None:
    still = Still()
    with Turned(still, 90, True) as source:
        assert (source.rate, still.opened) == (4.0, True)
        frame = next(source.frames())
    assert (frame.sequence, frame.monotonic, frame.wall) == (3, 0.75, NOON)
    np.testing.assert_array_equal(frame.pixels, by_numpy(F, 90, True))


def test_a_source_that_stalls_learns_of_it_so_that_it_is_left_alone() -> None:
    still = Still()
    with pytest.raises(SourceStalled) as caught, Turned(still, 90, True) as source:
        list(source.frames())
    assert still.left_with is caught.value


@pytest.mark.parametrize(("rotation", "mirror"), WAYS)
def test_pictures_from_a_folder_are_turned(
    tmp_path: Path, clock: FakeClock, rotation: int, mirror: bool
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), F)
    wanted = {"source": "pictures", "path": tmp_path, "rotation": rotation, "mirror": mirror}
    with open_source(CaptureSettings.model_validate(wanted), clock) as source:
        (frame,) = source.frames()
    np.testing.assert_array_equal(frame.pixels, by_numpy(F, rotation, mirror))


def test_a_video_that_plays_as_a_camera_is_turned(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 4.0, (64, 48))
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = 255
    writer.write(picture)
    writer.release()
    wanted = {"source": "video", "path": path, "rotation": 90}
    with open_source(CaptureSettings.model_validate(wanted), clock) as source:
        (frame,) = source.frames()
    assert frame.pixels.shape == (64, 48)
    assert frame.pixels[:28].min() > 200
    assert frame.pixels[36:].max() < 50


def test_a_webcam_is_turned(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still()
    monkeypatch.setattr("edge_fea.capture.opening.Webcam", lambda *_, **__: still)
    settings = CaptureSettings(source="webcam", rotation=180)
    with open_source(settings, clock) as source:
        np.testing.assert_array_equal(next(source.frames()).pixels, by_numpy(F, 180, False))
