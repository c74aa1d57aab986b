"""The Raspberry Pi camera through picamera2: the Y plane of a YUV420 stream is the grey picture."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Self

import cv2
import numpy as np

from edge_fea.capture.clock import Clock
from edge_fea.capture.frame import Frame, FrameSchedule
from edge_fea.errors import CameraSoftwareMissing, SourceStalled, SourceUnavailable

# Formats of which picamera2's array begins with the rows of luma.
_LUMA_FIRST = frozenset({"YUV420", "YVU420", "NV12", "NV21"})


class PiCamera:
    """Yields the frames due of a Pi camera.

    The camera is configured once. Grey comes from the ``lores`` stream without any colour
    conversion or encoder. libcamera may give another size or format than asked for, and not flip:
    all three are read back; rows can be padded. Every request goes back
    to libcamera when its block ends. picamera2 has no time-out of its own anywhere; when no frame
    comes for ``timeout`` seconds SourceStalled is raised, and the camera is then left alone:
    during a stall ``stop()`` blocks with the interpreter lock held, so that only leaving the
    process helps.
    """

    def __init__(
        self,
        number: int,
        rate: float,
        clock: Clock,
        *,
        size: tuple[int, int],
        timeout: float,
        flip_horizontal: bool = False,
        flip_vertical: bool = False,
        exposure: Literal["normal", "long"] = "normal",
    ) -> None:
        self.number = number
        self.rate = rate
        self._clock = clock
        self._size = size
        self._timeout = timeout
        self._flip = (flip_horizontal, flip_vertical)
        self._exposure = exposure
        self._flip_here: int | None = None
        self._camera: Any = None

    def __enter__(self) -> Self:
        picamera2, libcamera = _libraries()
        try:
            camera = picamera2.Picamera2(self.number)
        except (IndexError, RuntimeError) as error:
            raise SourceUnavailable(
                f"no Pi camera number {self.number} ({error}): check the ribbon cable, and that "
                "no other program uses it"
            ) from error
        self._camera = camera
        try:
            self._configure(camera, libcamera)
            camera.start()
        except SourceUnavailable:
            self._give_back(camera)
            raise
        except RuntimeError as error:
            self._give_back(camera)
            raise SourceUnavailable(
                f"Pi camera {self.number} cannot be started ({error}): check that no other "
                "program uses it"
            ) from error
        return self

    def _give_back(self, camera: Any) -> None:
        camera.close()
        self._camera = None

    def _configure(self, camera: Any, libcamera: Any) -> None:
        period = round(1e6 / self.rate)
        controls: dict[str, Any] = {"FrameDurationLimits": (period, period)}
        if self._exposure == "long":
            if "AeExposureMode" not in camera.camera_controls:
                raise SourceUnavailable(
                    f"Pi camera {self.number} cannot expose longer by itself: set "
                    'capture.exposure = "normal", and give it more light'
                )
            controls["AeExposureMode"] = libcamera.controls.AeExposureModeEnum.Long
        configuration = camera.create_video_configuration(
            main={"size": self._size, "format": "YUV420"},
            lores={"size": self._size, "format": "YUV420"},
            transform=libcamera.Transform(hflip=self._flip[0], vflip=self._flip[1]),
            controls=controls,
            buffer_count=3,
            queue=False,
            display=None,
            encode=None,
        )
        camera.configure(configuration)
        given = camera.camera_configuration()
        stream, transform = given["lores"], given["transform"]
        if stream["format"] not in _LUMA_FIRST:
            raise SourceUnavailable(
                f"Pi camera {self.number} gives pictures in the format {stream['format']} where "
                f"YUV420 was asked for; one of {', '.join(sorted(_LUMA_FIRST))} is needed"
            )
        self._size = tuple(stream["size"])
        self._flip_here = _flip_code(
            self._flip[0] != bool(transform.hflip), self._flip[1] != bool(transform.vflip)
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        camera, self._camera = self._camera, None
        if camera is None or isinstance(error, SourceStalled):
            return
        camera.stop()
        camera.close()

    def frames(self) -> Iterator[Frame]:
        """The frames due, until the camera stalls."""
        camera = self._camera
        if camera is None:
            raise RuntimeError("the source is not open")
        schedule = FrameSchedule(self.rate)
        width, height = self._size
        while True:
            try:
                with camera.captured_request(wait=self._timeout) as request:
                    # A copy: the buffer goes back to the camera when the block ends.
                    pixels = np.array(request.make_array("lores")[:height, :width])
            except TimeoutError as error:
                raise SourceStalled(
                    f"Pi camera {self.number}: no frame for {self._timeout:g} s", self._timeout
                ) from error
            monotonic = self._clock.monotonic()
            sequence = schedule.sequence_at(monotonic)
            if sequence is not None:
                if self._flip_here is not None:
                    pixels = np.asarray(cv2.flip(pixels, self._flip_here), np.uint8)
                yield Frame(sequence, monotonic, self._clock.now(), pixels)


def _flip_code(horizontal: bool, vertical: bool) -> int | None:
    """What cv2.flip calls these flips; None for none."""
    if horizontal and vertical:
        return -1
    if horizontal:
        return 1
    return 0 if vertical else None


def _libraries() -> tuple[Any, Any]:
    try:
        import libcamera
        import picamera2
    except ImportError as error:
        raise CameraSoftwareMissing(
            f"the Pi camera's software is not installed ({error}): "
            "sudo apt install python3-picamera2, and make the environment with "
            "--system-site-packages"
        ) from error
    return picamera2, libcamera
