"""open_source: the source that the settings name, set up as they say."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_fea.capture.opening import open_source
from edge_fea.capture.picamera import PiCamera
from edge_fea.capture.pictures import PictureFolder
from edge_fea.capture.video import VideoFile
from edge_fea.capture.webcam import Webcam
from edge_fea.config import CaptureSettings
from edge_fea.errors import NotFoundError
from tests.conftest import FakeClock


@pytest.mark.parametrize(("name", "kind"), [("picamera2", PiCamera), ("webcam", Webcam)])
def test_a_camera_is_named_by_its_source(clock: FakeClock, name: str, kind: type) -> None:
    source = open_source(CaptureSettings.model_validate({"source": name, "frame_rate": 2}), clock)
    assert isinstance(source, kind)
    assert source.rate == 2.0


def test_a_webcam_is_the_one_that_the_settings_name(clock: FakeClock) -> None:
    source = open_source(CaptureSettings(source="webcam", device="/dev/video3"), clock)
    assert isinstance(source, Webcam)
    assert source.device == "/dev/video3"


def test_a_pi_camera_is_the_one_that_the_settings_name(clock: FakeClock) -> None:
    source = open_source(CaptureSettings(camera=1), clock)
    assert isinstance(source, PiCamera)
    assert source.number == 1


def test_a_video_runs_in_real_time(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 4.0, (64, 48))
    for _ in range(8):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    source = open_source(CaptureSettings(source="video", path=path), clock)
    assert isinstance(source, VideoFile)
    with source:
        assert len(list(source.frames())) == 8
    assert sum(clock.slept) == pytest.approx(1.75)


def test_a_folder_of_pictures_is_a_source(tmp_path: Path, clock: FakeClock) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    source = open_source(CaptureSettings(source="pictures", path=tmp_path), clock)
    assert isinstance(source, PictureFolder)


def test_a_missing_file_is_noticed_before_anything_is_opened(
    tmp_path: Path, clock: FakeClock
) -> None:
    with pytest.raises(NotFoundError):
        open_source(CaptureSettings(source="video", path=tmp_path / "none.mp4"), clock)


@pytest.mark.parametrize("name", ["video", "pictures"])
def test_a_source_of_files_needs_a_path(clock: FakeClock, name: str) -> None:
    settings = CaptureSettings.model_construct(source=name, path=None)  # past the validator
    with pytest.raises(ValueError, match=r"capture\.path is needed"):
        open_source(settings, clock)
