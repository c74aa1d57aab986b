"""Viola-Jones on a real, public-domain face."""

import cv2
import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.errors import CascadeMissing
from edge_fea.vision import faces
from edge_fea.vision.faces import HaarDetector
from edge_fea.vision.geometry import Box


def test_finds_the_one_face(stage: DemoSource) -> None:
    picture = stage.draw(Scene("valid", 1, places=((0.5, 0.45),)), 0.0, 0)
    (box,) = HaarDetector(48).search(picture)
    assert box.overlap(Box(265, 160, 115, 115)) > 0.7


def test_finds_nothing_in_an_empty_room(stage: DemoSource) -> None:
    assert HaarDetector(48).search(stage.draw(Scene("no_face", 1, places=()), 0.0, 0)) == []


def test_faces_come_largest_first(stage: DemoSource) -> None:
    picture = stage.draw(Scene("ambiguous", 1, places=((0.25, 0.45), (0.75, 0.45))), 0.0, 0)
    near = cv2.resize(picture[:, :320], None, fx=1.4, fy=1.4)[:480, :448]
    found = HaarDetector(48).search(np.ascontiguousarray(np.hstack([picture[:, 320:], near])))
    assert len(found) == 2
    assert found[0].width > found[1].width


def test_a_reduced_search_finds_the_same_place(stage: DemoSource) -> None:
    picture = stage.draw(Scene("valid", 1), 0.0, 0)
    (fine,) = HaarDetector(24).search(picture)
    (coarse,) = HaarDetector(90).search(picture)
    assert fine.overlap(coarse) > 0.7


def test_searches_near_a_held_face_only(stage: DemoSource) -> None:
    picture = stage.draw(Scene("ambiguous", 1, places=((0.25, 0.45), (0.75, 0.45))), 0.0, 0)
    detector = HaarDetector(48)
    left = min(detector.search(picture))
    (near,) = detector.search_around(picture, left)
    assert near.overlap(left) > 0.7


def test_a_held_face_at_the_edge_of_the_frame_needs_no_special_care(stage: DemoSource) -> None:
    picture = stage.draw(Scene("no_face", 1, places=()), 0.0, 0)
    assert HaarDetector(48).search_around(picture, Box(600, 440, 60, 60)) == []
    assert HaarDetector(48).search_around(picture, Box(635, 475, 60, 60)) == []


def test_an_opencv_without_cascades_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(CascadeMissing, match="opencv-python-headless<5"):
        HaarDetector(48)


def test_missing_cascade_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(faces, "_cascade_folders", lambda: [tmp_path])
    with pytest.raises(CascadeMissing, match=str(tmp_path)):
        HaarDetector(48)
