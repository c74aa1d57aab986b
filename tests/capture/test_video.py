"""Video files, written here by OpenCV itself: their timestamps are the clock."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource
from edge_fea.capture.frame import Frame
from edge_fea.capture.video import VideoFile, grey
from edge_fea.errors import NotFoundError, SourceUnreadable
from tests.conftest import NOON, FakeClock

KINDS = {".avi": "MJPG", ".mp4": "mp4v", ".mkv": "mp4v", ".gif": ""}


def pattern(number: int) -> np.ndarray:
    """Noise with a bright bar that moves, so that no two frames are alike."""
    picture = np.random.default_rng(number).integers(0, 120, (96, 128, 3), np.uint8)
    picture[:, number : number + 20] = 250
    return picture


def write(path: Path, frames: int = 40, fps: float = 10.0) -> Path:
    if path.suffix == ".gif":
        animation = cv2.Animation()
        animation.frames = [pattern(number) for number in range(frames)]
        animation.durations = np.full(frames, round(1000 / fps))
        assert cv2.imwriteanimation(str(path), animation)
        return path
    code = cv2.VideoWriter.fourcc(*KINDS[path.suffix])
    writer = cv2.VideoWriter(str(path), code, fps, (128, 96))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(pattern(number))
    writer.release()
    return path


def read(path: Path, rate: float = 10.0) -> list[Frame]:
    with VideoFile(path, rate, FakeClock(), recorded_at=NOON) as source:
        return list(source.frames())


@pytest.mark.parametrize("suffix", KINDS)
def test_every_frame_of_a_file_at_just_the_rate_is_due(tmp_path: Path, suffix: str) -> None:
    frames = read(write(tmp_path / f"a{suffix}", frames=20))
    assert [frame.sequence for frame in frames] == list(range(20))


@pytest.mark.parametrize("suffix", KINDS)
def test_the_files_timestamps_are_the_clock(tmp_path: Path, suffix: str) -> None:
    frames = read(write(tmp_path / f"a{suffix}", frames=20))
    assert [frame.monotonic for frame in frames] == pytest.approx(np.arange(20) / 10, abs=0.002)
    assert frames[15].wall - NOON == pytest.approx(timedelta(seconds=1.5), abs=timedelta(0, 0.002))


@pytest.mark.parametrize("suffix", KINDS)
def test_frames_are_grey_pictures_of_the_files_size(tmp_path: Path, suffix: str) -> None:
    frame = read(write(tmp_path / f"a{suffix}", frames=12))[10]
    assert (frame.pixels.shape, frame.pixels.dtype) == ((96, 128), np.uint8)
    assert frame.pixels[:, 14:26].mean() > 200 > 120 > frame.pixels[:, 40:].mean()


def test_a_fast_file_is_thinned_to_the_rate(tmp_path: Path) -> None:
    frames = read(write(tmp_path / "a.avi", frames=40, fps=20.0), rate=4.0)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    # Each is the frame that is due, or the one before: two seconds hold 8, or 9 with a start.
    assert len(frames) in (8, 9)
    assert all(abs(frame.monotonic - frame.sequence / 4) < 0.051 for frame in frames)


def test_a_slow_file_leaves_the_frames_out_that_it_does_not_have(tmp_path: Path) -> None:
    frames = read(write(tmp_path / "a.avi", frames=5, fps=2.0), rate=4.0)
    assert [frame.sequence for frame in frames] == [0, 2, 4, 6, 8]


def test_a_recorded_face_comes_through_a_file_as_it_was(tmp_path: Path, stage: DemoSource) -> None:
    drawn = next(stage.frames()).pixels
    writer = cv2.VideoWriter(
        str(tmp_path / "face.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 4.0, drawn.shape[::-1]
    )
    for _ in range(4):
        writer.write(cv2.cvtColor(drawn, cv2.COLOR_GRAY2BGR))
    writer.release()
    frames = read(tmp_path / "face.avi", rate=4.0)
    assert len(frames) == 4
    assert np.abs(frames[2].pixels.astype(int) - drawn).mean() < 3


def test_a_file_states_its_duration(tmp_path: Path) -> None:
    with VideoFile(write(tmp_path / "a.avi"), 4.0, FakeClock()) as source:
        assert source.duration == pytest.approx(4.0)


def test_a_file_was_recorded_when_it_was_modified(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", frames=2)
    os.utime(path, (NOON.timestamp(),) * 2)
    assert VideoFile(path, 4.0, FakeClock()).recorded_at == NOON


def test_a_file_is_read_as_fast_as_it_goes(tmp_path: Path, clock: FakeClock) -> None:
    with VideoFile(write(tmp_path / "a.avi"), 4.0, clock) as source:
        assert len(list(source.frames())) == 16
    assert clock.slept == []


def test_in_real_time_it_waits_until_each_frame_is_due(tmp_path: Path, clock: FakeClock) -> None:
    with VideoFile(write(tmp_path / "a.avi"), 4.0, clock, real_time=True) as source:
        began, came = clock.time, [(frame.monotonic, clock.time) for frame in source.frames()]
    assert [at - began for _, at in came] == pytest.approx([due for due, _ in came])


def test_in_real_time_lost_time_is_caught_up(tmp_path: Path, clock: FakeClock) -> None:
    with VideoFile(write(tmp_path / "a.avi"), 10.0, clock, real_time=True) as source:
        frames = source.frames()
        next(frames)
        clock.time += 1.0  # the reader was busy for ten frames
        late = [next(frames).monotonic for _ in range(9)]
        assert clock.slept == []
        assert late[-1] == pytest.approx(0.9)
        next(frames)
        next(frames)
    assert sum(clock.slept) == pytest.approx(0.1)


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def blank(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    place = int(len(data) * share)
    data[place : place + len(data) // 10] = bytes(len(data) // 10)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(".avi", cut), (".mkv", cut), (".mp4", blank)],
    ids=[".avi cut", ".mkv cut", ".mp4 blanked"],
)
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_file_that_breaks_off_gives_what_it_has_and_then_says_so(
    tmp_path: Path, suffix: str, damage: Callable[[Path, float], None], share: float
) -> None:
    path = write(tmp_path / f"a{suffix}")
    damage(path, share)
    frames: list[Frame] = []
    with (
        VideoFile(path, 10.0, FakeClock()) as source,
        pytest.raises(SourceUnreadable, match=r"breaks off after \d+ of 40 frames"),
    ):
        frames.extend(source.frames())
    assert 40 * share - 16 <= len(frames) <= 40 * share + 4


def test_an_mp4_cut_short_has_lost_its_index_and_is_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4")
    cut(path, 0.9)
    with pytest.raises(SourceUnreadable, match=r"a\.mp4: not a video that can be read"):
        read(path)


def test_text_under_a_videos_name_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video\n" * 100)
    with pytest.raises(SourceUnreadable, match=r"a\.mp4: not a video that can be read"):
        read(tmp_path / "a.mp4")


def test_an_empty_file_is_named_as_empty(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(SourceUnreadable, match=r"a\.mp4: the file is empty \(0 bytes\)"):
        VideoFile(tmp_path / "a.mp4", 4.0, FakeClock())


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no such file: .*none\.mp4"):
        VideoFile(tmp_path / "none.mp4", 4.0, FakeClock())


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="not a file"):
        VideoFile(tmp_path, 4.0, FakeClock())


def test_a_source_that_is_not_open_gives_nothing(tmp_path: Path) -> None:
    source = VideoFile(write(tmp_path / "a.avi", frames=2), 4.0, FakeClock())
    with pytest.raises(RuntimeError, match="not open"):
        next(source.frames())
    with pytest.raises(RuntimeError, match="not open"):
        _ = source.duration


def test_leaving_closes_the_file(tmp_path: Path) -> None:
    with VideoFile(write(tmp_path / "a.avi", frames=2), 4.0, FakeClock()) as source:
        pass
    with pytest.raises(RuntimeError, match="not open"):
        next(source.frames())


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_grey_takes_every_layout_that_opencv_decodes_to(shape: tuple[int, ...]) -> None:
    got = grey(np.full(shape, 77, np.uint8))
    assert got.shape == (4, 5)
    assert (got == 77).all()


def test_a_name_that_opencv_cannot_open_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe4r.avi"))
    path.write_bytes(b"RIFF")
    with pytest.raises(SourceUnreadable, match="names are UTF-8"):
        VideoFile(path, 4.0, clock)
