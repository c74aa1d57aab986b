"""A V4L2 webcam through OpenCV."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from edge_fea.capture.clock import Clock
from edge_fea.capture.frame import Frame, FrameSchedule
from edge_fea.capture.video import grey
from edge_fea.errors import SourceStalled, SourceUnavailable


class Webcam:
    """Yields the frames due of a V4L2 device such as ``/dev/video0``.

    OpenCV's read can block for ever on a device that hangs, so a thread reads, and keeps only the
    newest frame; when none comes for ``timeout`` seconds SourceStalled is raised.
    """

    def __init__(
        self, device: str, rate: float, clock: Clock, *, size: tuple[int, int], timeout: float
    ) -> None:
        self.device = device
        self.rate = rate
        self._clock = clock
        self._size = size
        self._timeout = timeout
        self._newest: queue.Queue[tuple[float, np.ndarray] | None] = queue.Queue(maxsize=1)
        self._stop = threading.Event()
        self._video: cv2.VideoCapture | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        video = cv2.VideoCapture(self.device, cv2.CAP_V4L2)
        if not video.isOpened():
            video.release()
            raise SourceUnavailable(
                f"no camera at {self.device}: is it plugged in, and is this user in group 'video'?"
            )
        video.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        video.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        self._video = video
        self._reader = threading.Thread(target=self._read, args=(video,), daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._reader is not None:
            self._reader.join(timeout=1.0)
            # A reader that is still stuck in the driver keeps the device; releasing it under the
            # reader's feet crashes OpenCV. The process is about to leave anyway.
            if not self._reader.is_alive() and self._video is not None:
                self._video.release()

    def frames(self) -> Iterator[Frame]:
        """The frames due, until the device fails."""
        schedule = FrameSchedule(self.rate)
        while True:
            try:
                newest = self._newest.get(timeout=self._timeout)
            except queue.Empty:
                raise SourceStalled(
                    f"camera {self.device}: no frame for {self._timeout:g} s", self._timeout
                ) from None
            if newest is None:
                raise SourceStalled(f"camera {self.device} stopped or was unplugged", 0.0)
            monotonic, pixels = newest
            sequence = schedule.sequence_at(monotonic)
            if sequence is not None:
                yield Frame(sequence, monotonic, self._clock.now(), grey(pixels))

    def _read(self, video: cv2.VideoCapture) -> None:
        while not self._stop.is_set():
            readable, pixels = video.read()
            self._offer((self._clock.monotonic(), np.asarray(pixels)) if readable else None)
            if not readable:
                return

    def _offer(self, item: tuple[float, np.ndarray] | None) -> None:
        # Only the newest frame is worth anything; this thread is the only producer, so after one
        # removal there is room.
        with contextlib.suppress(queue.Empty):
            self._newest.get_nowait()
        self._newest.put(item)
