"""A session records in a time that only goes forward, and corrects it once it is known."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from edge_fea.capture.clock import Clock, boot_id
from edge_fea.capture.frame import Frame
from edge_fea.config.layers import load
from edge_fea.device.session import Session
from edge_fea.device.stopping import StopRequest
from edge_fea.store.clips import ClipFilter, ClipReader, ClipRecorder
from edge_fea.store.moments import happened
from edge_fea.store.rows import Row
from tests.conftest import NOON, FakeClock
from tests.store.test_moments import clip

DARK = np.zeros((240, 320), np.uint8)


class Camera:
    """One frame a second on a clock of a test; at some frame the network sets it."""

    rate = 4.0

    def __init__(self, machine: FakeClock, clock: Clock, frames: int, set_at: int) -> None:
        self.machine, self.clock = machine, clock
        self.frames_due, self.set_at = frames, set_at

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def frames(self) -> Iterator[Frame]:
        for number in range(self.frames_due):
            if number == self.set_at:
                self.machine.wall += timedelta(days=30)
                self.machine.right = True
            yield Frame(number, self.clock.monotonic(), self.clock.now(), DARK)
            self.machine.time += 0.25
            self.machine.wall += timedelta(seconds=0.25)


@pytest.fixture
def machine() -> FakeClock:
    return FakeClock(right=False)


def recorded(
    path: Path, machine: FakeClock, *, frames: int = 80, set_at: int = -1, source: str = "picamera2"
) -> list[Row]:
    keys = {"store.database": path, "clip.length_s": 5, "clip.development": True}
    keys |= {"capture.source": source, "capture.path": path if source == "video" else None}
    settings = load(overrides={key: value for key, value in keys.items() if value}).settings
    with Session(settings, machine) as session:
        camera = Camera(machine, session.clock, frames, set_at)
        session.live(lambda _: None).record(camera, StopRequest())
    with ClipReader(path, busy_timeout=1) as reader:
        return list(reader.clips(ClipFilter()))


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A database whose last clip, of a former boot, ends five hours after the clock's NOON."""
    path = tmp_path / "edge-fea.db"
    with ClipRecorder(path, busy_timeout=1, now=NOON) as recorder:
        recorder.save(clip(5 * 60 - 5, boot="former", right=True))
    return path


def test_after_a_power_cut_no_clip_sorts_before_those_that_are_there(
    former: Path, machine: FakeClock
) -> None:
    first, *new = recorded(former, machine)
    assert first["boot_id"] == "former"
    assert len(new) == 4
    assert min(row["clip_id"] for row in new) > first["clip_id"]
    assert happened(new[0]) >= NOON + timedelta(hours=5)
    assert {row["clock_synchronized"] for row in new} == {0}


def test_a_second_start_in_the_same_boot_goes_on_from_the_first(
    former: Path, machine: FakeClock
) -> None:
    recorded(former, machine)
    rows = recorded(former, machine)
    starts = [happened(row) for row in rows]
    assert len(starts) == 9
    assert starts == sorted(starts)
    assert starts[-1] - starts[1] == timedelta(seconds=35)


def test_when_the_network_sets_the_clock_earlier_clips_are_corrected(
    former: Path, machine: FakeClock
) -> None:
    rows = recorded(former, machine, set_at=50)[1:]
    assert [row["clock_synchronized"] for row in rows] == [0, 0, 0, 1]
    began = NOON + timedelta(days=30)
    assert [happened(row) for row in rows] == [
        began + timedelta(seconds=seconds) for seconds in (0, 5, 10, 15)
    ]
    assert rows[0]["start_utc"] < rows[0]["corrected_start_utc"]
    assert {row["boot_id"] for row in rows} == {boot_id()}


def test_a_film_that_is_played_as_a_camera_has_no_boot(former: Path, machine: FakeClock) -> None:
    rows = recorded(former, machine, source="video", set_at=10)[1:]
    assert {(row["boot_id"], row["corrected_start_utc"]) for row in rows} == {(None, None)}
