"""The Pi camera, with picamera2 and libcamera played by a few lines that keep their rules."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_fea.capture.opening import open_source
from edge_fea.capture.picamera import PiCamera
from edge_fea.config import CaptureSettings
from edge_fea.errors import CameraSoftwareMissing, SourceStalled, SourceUnavailable
from tests.conftest import NOON, FakeClock

PADDED = 192  # libcamera pads rows to multiples of 64


def transform_of(hflip: bool = False, vflip: bool = False) -> SimpleNamespace:
    """Stands for libcamera.Transform."""
    return SimpleNamespace(hflip=hflip, vflip=vflip)


class Camera:
    """Stands for picamera2.Picamera2: 160 x 120, rows padded, a frame every quarter second."""

    failing_at = ""
    frames_until_stall = 5
    format = "YUV420"
    flips = True
    camera_controls = ("AeExposureMode", "FrameDurationLimits")

    def __init__(self, number: int) -> None:
        self.calls: list[str] = []
        self.number = number
        self.out = 0
        self.most_out = 0
        self.asked: dict[str, Any] = {}
        self.clock: FakeClock = Camera.shared_clock
        Camera.made = self
        self._may("open")

    made: "Camera"
    shared_clock: FakeClock

    def _may(self, step: str) -> None:
        self.calls.append(step)
        if step == self.failing_at:
            raise RuntimeError(f"failed to {step}: Device or resource busy")

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        self.asked = wanted
        return wanted

    def configure(self, configuration: dict[str, Any]) -> None:
        assert configuration is self.asked
        self._may("configure")

    def camera_configuration(self) -> dict[str, Any]:
        # What libcamera made of what was asked for.
        transform = self.asked["transform"] if self.flips else transform_of()
        return {"lores": {"size": (160, 120), "format": self.format}, "transform": transform}

    def start(self) -> None:
        self._may("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")

    @contextmanager
    def captured_request(self, wait: float) -> Iterator[SimpleNamespace]:
        if self.frames_until_stall == 0:
            self.clock.time += wait
            raise TimeoutError
        self.frames_until_stall -= 1
        self.clock.time += 0.25
        self.out += 1
        self.most_out = max(self.most_out, self.out)
        planes = np.full((180, PADDED), 255, np.uint8)  # Y, then U and V below it
        planes[:120, :160] = 70
        planes[0, 0] = 90  # the upper left corner
        try:
            yield SimpleNamespace(make_array=lambda stream: {"lores": planes}[stream])
        finally:
            planes[:] = 1  # the camera writes the next picture into the buffer
            self.out -= 1


@pytest.fixture(autouse=True)
def _camera_software(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    picamera2, libcamera = ModuleType("picamera2"), ModuleType("libcamera")
    made_here = type("Picamera2", (Camera,), {})
    monkeypatch.setattr(Camera, "shared_clock", clock, raising=False)
    monkeypatch.setattr(picamera2, "Picamera2", made_here, raising=False)
    libcamera.Transform = transform_of  # type: ignore[attr-defined]
    exposure = SimpleNamespace(Long="the long exposure mode")
    libcamera.controls = SimpleNamespace(AeExposureModeEnum=exposure)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", picamera2)
    monkeypatch.setitem(sys.modules, "libcamera", libcamera)


def pi_camera(clock: FakeClock, **wanted: Any) -> PiCamera:
    return PiCamera(0, 4.0, clock, size=(162, 120), timeout=5.0, **wanted)


def test_grey_comes_from_a_lores_stream_of_the_wanted_size(clock: FakeClock) -> None:
    with pi_camera(clock):
        asked = Camera.made.asked
    assert asked["lores"] == {"size": (162, 120), "format": "YUV420"}
    assert asked["main"] == {"size": (162, 120), "format": "YUV420"}


def test_no_encoder_display_or_queue_is_asked_for(clock: FakeClock) -> None:
    with pi_camera(clock):
        asked = Camera.made.asked
    assert (asked["encode"], asked["display"], asked["queue"]) == (None, None, False)


def test_the_sensor_runs_at_just_the_rate(clock: FakeClock) -> None:
    with pi_camera(clock):
        assert Camera.made.asked["controls"] == {"FrameDurationLimits": (250_000, 250_000)}


def test_long_exposure_is_asked_for_by_libcameras_name(clock: FakeClock) -> None:
    with pi_camera(clock, exposure="long"):
        controls = Camera.made.asked["controls"]
    assert controls["AeExposureMode"] == "the long exposure mode"


FLIPS = [
    (0, False, (False, False)),
    (0, True, (True, False)),
    (180, False, (True, True)),
    (180, True, (False, True)),
]


@pytest.mark.parametrize(("rotation", "mirror", "flips"), FLIPS)
def test_half_a_turn_and_mirror_are_done_by_the_camera(
    clock: FakeClock, rotation: int, mirror: bool, flips: tuple[bool, bool]
) -> None:
    settings = CaptureSettings.model_validate({"rotation": rotation, "mirror": mirror})
    with open_source(settings, clock) as source:
        asked = Camera.made.asked["transform"]
        assert (asked.hflip, asked.vflip) == flips
        # It stands as the camera gave it: not turned once more.
        assert next(source.frames()).pixels[0, 0] == 90


@pytest.mark.parametrize(("rotation", "mirror", "flips"), FLIPS)
def test_a_camera_that_does_not_flip_is_helped(
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    rotation: int,
    mirror: bool,
    flips: tuple[bool, bool],
) -> None:
    monkeypatch.setattr(Camera, "flips", False)
    settings = CaptureSettings.model_validate({"rotation": rotation, "mirror": mirror})
    with open_source(settings, clock) as source:
        pixels = next(source.frames()).pixels
    row, column = 119 if flips[1] else 0, 159 if flips[0] else 0
    assert pixels[row, column] == 90
    assert (pixels == 90).sum() == 1


@pytest.mark.parametrize(
    ("rotation", "mirror", "corner"),
    [(90, False, (0, 119)), (90, True, (0, 0)), (270, False, (159, 0)), (270, True, (159, 119))],
)
def test_a_quarter_turn_is_not_asked_of_the_camera(
    clock: FakeClock, rotation: int, mirror: bool, corner: tuple[int, int]
) -> None:
    settings = CaptureSettings.model_validate({"rotation": rotation, "mirror": mirror})
    with open_source(settings, clock) as source:
        asked = Camera.made.asked["transform"]
        pixels = next(source.frames()).pixels
    assert (asked.hflip, asked.vflip) == (False, False)
    assert pixels.shape == (160, 120)
    assert pixels[corner] == 90


@pytest.mark.parametrize("given", ["NV12", "NV21", "YVU420"])
def test_another_format_with_its_luma_first_will_do(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(Camera, "format", given)
    with pi_camera(clock) as source:
        assert next(source.frames()).pixels.mean() == pytest.approx(70, abs=0.1)


@pytest.mark.parametrize("given", ["YUYV", "RGB888", "MJPEG", "R8"])
def test_any_other_format_is_refused_and_the_camera_closed(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(Camera, "format", given)
    with pytest.raises(SourceUnavailable, match=f"in the format {given} where YUV420"):
        pi_camera(clock).__enter__()
    assert Camera.made.calls[-1] == "close"


def test_long_exposure_is_refused_where_the_camera_has_none(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "camera_controls", ("FrameDurationLimits",))
    with pytest.raises(SourceUnavailable, match=r'capture\.exposure = "normal"'):
        pi_camera(clock, exposure="long").__enter__()
    assert Camera.made.calls[-1] == "close"


def test_rows_are_cut_to_the_size_that_the_camera_took(clock: FakeClock) -> None:
    with pi_camera(clock) as source:
        pixels = next(source.frames()).pixels
    assert (pixels.shape, pixels.dtype) == ((120, 160), np.uint8)
    assert (pixels.ravel()[1:] == 70).all()


def test_frames_carry_the_clocks_times(clock: FakeClock) -> None:
    with pi_camera(clock) as source:
        frames = source.frames()
        first, second = next(frames), next(frames)
    assert (first.sequence, first.monotonic, first.wall) == (0, 1000.25, NOON)
    assert (second.sequence, second.monotonic) == (1, 1000.5)


def test_a_camera_faster_than_the_rate_is_thinned(clock: FakeClock) -> None:
    source = PiCamera(0, 2.0, clock, size=(160, 120), timeout=5.0)
    with source:
        frames = source.frames()
        assert [next(frames).monotonic for _ in range(3)] == [1000.25, 1000.75, 1001.25]


def test_every_request_is_given_back_before_its_frame_is_used(clock: FakeClock) -> None:
    with pi_camera(clock) as source:
        for _, _frame in zip(range(3), source.frames(), strict=False):
            assert Camera.made.out == 0
    assert Camera.made.most_out == 1


def test_a_consumer_that_fails_leaves_no_request_out_and_the_camera_closed(
    clock: FakeClock,
) -> None:
    used: dict[int, int] = {}
    with pytest.raises(KeyError), pi_camera(clock) as source:
        print([used[frame.sequence] for frame in source.frames()])
    assert Camera.made.out == 0
    assert Camera.made.calls[-2:] == ["stop", "close"]


def test_a_request_is_given_back_when_its_picture_cannot_be_taken(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pi_camera(clock) as source:
        monkeypatch.setattr("edge_fea.capture.picamera.np.array", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(source.frames())
        assert Camera.made.out == 0


def test_a_camera_without_a_frame_for_the_time_out_has_stalled(clock: FakeClock) -> None:
    source = pi_camera(clock).__enter__()
    frames = source.frames()
    assert [next(frames).sequence for _ in range(5)] == list(range(5))
    with pytest.raises(SourceStalled, match="Pi camera 0: no frame for 5 s") as caught:
        next(frames)
    assert caught.value.waited == 5.0


def test_a_stalled_camera_is_left_alone(clock: FakeClock) -> None:
    with pytest.raises(SourceStalled), pi_camera(clock) as source:
        list(source.frames())
    assert Camera.made.calls == ["open", "configure", "start"]


def test_leaving_stops_and_closes_the_camera(clock: FakeClock) -> None:
    with pi_camera(clock):
        pass
    assert Camera.made.calls == ["open", "configure", "start", "stop", "close"]


@pytest.mark.parametrize("library", ["picamera2", "libcamera"])
def test_missing_software_is_unavailable_and_says_how_to_get_it(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CameraSoftwareMissing, match="apt install python3-picamera2"):
        pi_camera(clock).__enter__()


def test_a_missing_camera_is_unavailable(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_there(number: int) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(sys.modules["picamera2"], "Picamera2", none_there)
    with pytest.raises(SourceUnavailable, match=r"no Pi camera number 0.*ribbon cable"):
        pi_camera(clock).__enter__()


@pytest.mark.parametrize("step", ["open", "start"])
def test_a_camera_in_use_is_unavailable(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(Camera, "failing_at", step)
    with pytest.raises(SourceUnavailable, match="no other program"):
        pi_camera(clock).__enter__()


@pytest.mark.parametrize("step", ["configure", "start"])
def test_a_camera_that_cannot_be_set_up_is_closed_again(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(Camera, "failing_at", step)
    with pytest.raises((SourceUnavailable, RuntimeError)):
        pi_camera(clock).__enter__()
    assert Camera.made.calls[-1] == "close"


def test_a_camera_that_is_not_open_gives_nothing(clock: FakeClock) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        next(pi_camera(clock).frames())
