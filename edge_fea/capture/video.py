"""Recorded video: any container that OpenCV reads, GIF too. The file's timestamps are the clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from edge_fea.capture.clock import Clock
from edge_fea.capture.frame import Frame, FrameSchedule
from edge_fea.errors import NotFoundError, SourceUnreadable

# Containers round the frame count; a file may honestly end a few frames early.
_COUNT_TOLERANCE = 0.02
# A longer gap than this is no pause in a recording but a broken header.
_LONGEST_GAP_S = 3600.0


class VideoFile:
    """Yields the frames due of one video file.

    ``recorded_at`` is the wall time of its first frame, by default the file's modification time,
    so that a file always gives the same summaries. ``real_time`` waits between frames as a camera
    would (``clock`` is used for nothing else); otherwise frames come as fast as they are read.
    """

    def __init__(
        self,
        path: Path,
        rate: float,
        clock: Clock,
        *,
        recorded_at: datetime | None = None,
        real_time: bool = False,
    ) -> None:
        self.path = path
        self.rate = rate
        self._clock = clock
        self._real_time = real_time
        _require_readable(path)
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        self.recorded_at = recorded_at or modified
        self._video: cv2.VideoCapture | None = None

    def __enter__(self) -> Self:
        self._video = cv2.VideoCapture(str(self.path))
        if not self._video.isOpened() or not self._video.grab():
            self._video.release()
            raise SourceUnreadable(f"{self.path}: not a video that can be read")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._video is not None:
            self._video.release()
            self._video = None

    @property
    def duration(self) -> float:
        """Seconds, as the container states them; 0 where it does not."""
        if self._video is None:
            raise RuntimeError("the source is not open")
        fps = self._video.get(cv2.CAP_PROP_FPS)
        frames = self._video.get(cv2.CAP_PROP_FRAME_COUNT)
        return frames / fps if fps > 0 and frames > 0 else 0.0

    def frames(self) -> Iterator[Frame]:
        """The frames due. Raises SourceUnreadable where the file breaks off before its end."""
        video = self._video
        if video is None:
            raise RuntimeError("the source is not open")
        schedule = FrameSchedule(self.rate)
        began = self._clock.monotonic()
        taken, before = 0, 0.0
        grabbed = True  # __enter__ grabbed the first
        while grabbed:
            taken += 1
            monotonic = video.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            if monotonic - before > _LONGEST_GAP_S:
                jump = monotonic - before
                raise SourceUnreadable(
                    f"{self.path}: its timestamps jump by {jump:.0f} s at frame {taken}"
                )
            before = monotonic
            sequence = schedule.sequence_at(monotonic)
            if sequence is not None:
                readable, pixels = video.retrieve()
                if not readable:
                    raise SourceUnreadable(f"{self.path}: frame {taken} cannot be decoded")
                if self._real_time:
                    self._clock.sleep(monotonic - (self._clock.monotonic() - began))
                yield Frame(
                    sequence,
                    monotonic,
                    self.recorded_at + timedelta(seconds=monotonic),
                    grey(pixels),
                )
            grabbed = video.grab()
        stated = video.get(cv2.CAP_PROP_FRAME_COUNT)
        if taken < stated * (1 - _COUNT_TOLERANCE) - 1:
            raise SourceUnreadable(
                f"{self.path}: breaks off after {taken} of {stated:.0f} frames; "
                "what was read until there is kept"
            )


def grey(pixels: np.ndarray) -> np.ndarray:
    """Luma of a picture as OpenCV decodes it: uint8 (h, w) from (h, w), (h, w, 1), 3 or 4."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    code = cv2.COLOR_BGRA2GRAY if pixels.shape[2] == 4 else cv2.COLOR_BGR2GRAY
    return np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _require_readable(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise SourceUnreadable(
            f"{str(path)!a}: OpenCV opens only files whose names are UTF-8: rename it"
        ) from None
    try:
        if not path.exists():
            raise NotFoundError(f"no such file: {path}")
        if not path.is_file():  # opening a pipe would wait for its other end
            raise SourceUnreadable(f"{path}: not a file")
        with path.open("rb") as file:
            first = file.read(1)
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}") from error
    if not first:
        raise SourceUnreadable(f"{path}: the file is empty (0 bytes)")
