"""A V4L2 webcam, with a driver made of Python: it delivers, hangs or is pulled out on demand."""

import queue
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge_fea.capture.clock import SystemClock
from edge_fea.capture.webcam import Webcam
from edge_fea.errors import SourceStalled, SourceUnavailable

COLOUR = np.full((48, 64, 3), 90, np.uint8)


class Driver:
    """What cv2.VideoCapture is to the webcam; ``read`` blocks until there is something to give."""

    def __init__(self, present: bool = True) -> None:
        self.present = present
        self.opened_with: tuple[object, ...] = ()
        self.properties: dict[int, float] = {}
        self.released = False
        self.ready: queue.Queue[np.ndarray | None] = queue.Queue()

    def __call__(self, *arguments: object) -> "Driver":
        self.opened_with = arguments
        return self

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return self.present

    def set(self, key: int, value: float) -> bool:
        self.properties[key] = value
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        pixels = self.ready.get()
        return pixels is not None, pixels

    def release(self) -> None:
        self.released = True


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    made = Driver()
    monkeypatch.setattr(cv2, "VideoCapture", made)
    yield made
    made.ready.put(None)  # no reader stays behind


def webcam(rate: float = 30.0, timeout: float = 5.0) -> Webcam:
    return Webcam("/dev/video9", rate, SystemClock(), size=(64, 48), timeout=timeout)


def test_the_named_device_is_opened_through_v4l2(driver: Driver) -> None:
    driver.ready.put(None)
    with webcam():
        assert driver.opened_with == ("/dev/video9", cv2.CAP_V4L2)


def test_the_wanted_size_is_set(driver: Driver) -> None:
    driver.ready.put(None)
    with webcam():
        assert driver.properties == {cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48}


def test_frames_are_grey_and_carry_the_machines_times(driver: Driver) -> None:
    before = time.monotonic()
    driver.ready.put(COLOUR)
    with webcam() as source:
        frame = next(source.frames())
        driver.ready.put(None)
    assert (frame.sequence, frame.pixels.shape, frame.pixels.dtype) == (0, (48, 64), np.uint8)
    assert before <= frame.monotonic <= time.monotonic()
    assert abs(frame.wall - SystemClock().now()).total_seconds() < 60


def test_only_the_newest_frame_is_kept(driver: Driver) -> None:
    with webcam() as source:
        for value in (1, 2, 3):
            driver.ready.put(np.full((48, 64, 3), value, np.uint8))
        while not driver.ready.empty():
            time.sleep(0.001)
        time.sleep(0.05)  # the reader puts the last one down
        assert next(source.frames()).pixels[0, 0] == 3
        driver.ready.put(None)


def test_frames_that_come_too_fast_are_not_due(driver: Driver) -> None:
    with webcam(rate=1.0, timeout=0.3) as source:
        frames = source.frames()
        driver.ready.put(COLOUR)
        assert next(frames).sequence == 0
        driver.ready.put(COLOUR)
        with pytest.raises(SourceStalled):
            next(frames)
        driver.ready.put(None)


def test_a_camera_that_hangs_has_stalled_after_the_time_out(driver: Driver) -> None:
    with webcam(timeout=0.2) as source:
        began = time.monotonic()
        with pytest.raises(SourceStalled, match=r"/dev/video9: no frame for 0\.2 s") as caught:
            next(source.frames())
        waited = time.monotonic() - began
        driver.ready.put(None)
    assert 0.2 <= waited < 1.0
    assert caught.value.waited == 0.2


def test_a_camera_that_is_unplugged_is_noticed_at_once(driver: Driver) -> None:
    driver.ready.put(None)
    began = time.monotonic()
    with webcam(timeout=60) as source, pytest.raises(SourceStalled, match="unplugged") as caught:
        next(source.frames())
    assert time.monotonic() - began < 1.0
    assert caught.value.waited == 0.0


def test_a_missing_camera_is_unavailable_and_given_back(driver: Driver) -> None:
    driver.present = False
    with pytest.raises(SourceUnavailable, match=r"no camera at /dev/video9.*group 'video'"):
        webcam().__enter__()
    assert driver.released


def test_leaving_ends_the_reader_and_gives_the_device_back(driver: Driver) -> None:
    threads = threading.active_count()
    with webcam():
        assert threading.active_count() == threads + 1
        driver.ready.put(COLOUR)
        driver.ready.put(None)
    assert threading.active_count() == threads
    assert driver.released


def test_a_device_is_not_given_back_under_a_reader_that_hangs(driver: Driver) -> None:
    began = time.monotonic()
    with webcam(timeout=0.1) as source, pytest.raises(SourceStalled):
        next(source.frames())
    assert not driver.released
    assert time.monotonic() - began < 2.0


def test_a_device_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="no camera at /dev/video-none"):
        Webcam("/dev/video-none", 4.0, SystemClock(), size=(640, 480), timeout=1).__enter__()
