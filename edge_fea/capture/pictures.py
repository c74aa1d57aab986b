"""Still pictures: one, or a folder of them taken as the frames of a recording."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from edge_fea.capture.frame import Frame
from edge_fea.capture.video import grey
from edge_fea.errors import NotFoundError, SourceUnreadable

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp"})


def read_grey(path: Path) -> np.ndarray:
    """One picture as luma, uint8 (height, width). Raises NotFoundError, SourceUnreadable."""
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path}") from None
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}") from error
    if data.size == 0:
        raise SourceUnreadable(f"{path}: the file is empty (0 bytes)")
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:  # such as a picture of more pixels than OpenCV takes
        raise SourceUnreadable(f"{path}: not a picture that can be read") from error
    if pixels is None:
        raise SourceUnreadable(f"{path}: not a picture that can be read")
    return grey(np.asarray(pixels))


def is_folder(path: Path) -> bool:
    """Whether ``path`` is a folder. Raises SourceUnreadable where one above it may not be read."""
    try:
        return path.is_dir()
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}") from error


def pictures_in(folder: Path) -> list[Path]:
    """All pictures below ``folder``, by path.

    Raises NotFoundError where there are none, SourceUnreadable where it may not be read.
    """
    if not is_folder(folder):
        raise NotFoundError(f"no such folder: {folder}")
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise NotFoundError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    return found


class PictureFolder:
    """Yields the pictures of a folder, in the order of their names, as frames at ``rate``."""

    def __init__(self, folder: Path, rate: float, *, recorded_at: datetime | None = None) -> None:
        self.path = folder
        self.rate = rate
        self._paths = pictures_in(folder)
        modified = datetime.fromtimestamp(self._paths[0].stat().st_mtime, UTC)
        self.recorded_at = recorded_at or modified

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @property
    def duration(self) -> float:
        """Seconds that the folder lasts."""
        return len(self._paths) / self.rate

    def frames(self) -> Iterator[Frame]:
        """Each picture once. Raises SourceUnreadable at the first that is none."""
        for sequence, path in enumerate(self._paths):
            monotonic = sequence / self.rate
            yield Frame(
                sequence,
                monotonic,
                self.recorded_at + timedelta(seconds=monotonic),
                read_grey(path),
            )
