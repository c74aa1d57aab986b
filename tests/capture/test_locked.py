"""What lies in a folder that this user may not read is named, and not said to be missing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_fea.capture.pictures import is_folder, pictures_in, read_grey
from edge_fea.capture.video import VideoFile
from edge_fea.errors import SourceUnreadable
from tests.conftest import FakeClock
from tests.store.conftest import public_folder, unprivileged

__all__ = ["public_folder", "unprivileged"]


@pytest.mark.parametrize(
    "read",
    [is_folder, pictures_in, read_grey, lambda path: VideoFile(path, 4.0, FakeClock())],
    ids=["is_folder", "pictures_in", "read_grey", "VideoFile"],
)
def test_a_locked_folder_is_named(
    public_folder: Path,
    unprivileged: Callable[[], AbstractContextManager[None]],
    read: Callable[[Path], object],
) -> None:
    folder = public_folder / "locked"
    folder.mkdir()
    file = folder / "a.mp4"
    file.write_bytes(b"a")
    folder.chmod(0o000)
    try:
        with unprivileged(), pytest.raises(SourceUnreadable, match=r"a\.mp4: Permission denied"):
            read(file)
    finally:
        folder.chmod(0o700)
