"""The staged recording: the same at every run, and every outcome in it."""

import sys
from collections import Counter

import numpy as np
import pytest

from edge_fea.capture.demo import HEIGHT, SCENES, WIDTH, DemoSource, scene_at
from edge_fea.errors import SourceUnavailable
from edge_fea.vision.observation import Outcome
from tests.conftest import NOON

SPARSE = 0.2  # one frame in five seconds: two at least of every scene


def test_every_outcome_is_staged() -> None:
    assert {scene.outcome for scene in SCENES} == {str(outcome) for outcome in Outcome}


def test_the_first_clip_of_300_seconds_ends_between_two_scenes() -> None:
    ends = np.cumsum([scene.seconds for scene in SCENES])
    assert 300 in ends


def test_the_same_pictures_come_at_every_run() -> None:
    first, second = (DemoSource(0.02, NOON) for _ in range(2))
    runs = list(zip(first.frames(), second.frames(), strict=True))
    assert len(runs) > 10
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in runs)


def test_frames_are_grey_and_timed_from_the_stated_moment() -> None:
    source = DemoSource(SPARSE, NOON)
    with source:
        frames = source.frames()
        next(frames)
        frame = next(frames)
    assert (frame.sequence, frame.monotonic) == (1, 5.0)
    assert (frame.wall - NOON).total_seconds() == 5.0
    assert (frame.pixels.shape, frame.pixels.dtype) == ((HEIGHT, WIDTH), np.uint8)


def test_lost_capture_gives_no_frames_and_all_else_does() -> None:
    source = DemoSource(SPARSE, NOON)
    drawn = Counter(scene_at(frame.monotonic).outcome for frame in source.frames())
    wanted = Counter({str(outcome): 0 for outcome in Outcome})
    for scene in SCENES:
        wanted[scene.outcome] += int(scene.seconds * SPARSE)
    del wanted["capture_lost"]
    assert drawn == wanted


def test_lost_capture_shows_as_a_jump_of_the_number() -> None:
    numbers = [frame.sequence for frame in DemoSource(SPARSE, NOON).frames()]
    lost = set(range(numbers[-1] + 1)) - set(numbers)
    assert len(lost) == 2


def test_the_caregivers_pause_is_as_long_as_its_scene() -> None:
    paused = [second for second in range(int(DemoSource.duration)) if DemoSource.is_paused(second)]
    assert len(paused) == next(scene.seconds for scene in SCENES if scene.outcome == "paused")


def test_a_photograph_does_not_move_and_a_face_does(stage: DemoSource) -> None:
    def moved(outcome: str) -> float:
        scene = next(scene for scene in SCENES if scene.outcome == outcome)
        one, other = (stage.draw(scene, time, 0).astype(int) for time in (1.0, 3.0))
        return float(np.abs(one - other).mean())

    assert moved("not_live") == 0.0
    assert moved("valid") > 1.0


def test_after_the_end_the_last_scene_stays() -> None:
    assert scene_at(1e6) is SCENES[-1]


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name == "skimage" or name.startswith("skimage."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(SourceUnavailable, match=r"pip install 'edge-fea\[demo\]'"):
        DemoSource(4.0, NOON)
