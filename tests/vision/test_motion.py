"""Facial motion energy."""

import math

import cv2
import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.vision.geometry import Box, Grey, face_crop
from edge_fea.vision.motion import MotionEnergy

BOX = Box(262, 154, 114, 114)


@pytest.fixture(scope="module")
def face(stage: DemoSource) -> Grey:
    return stage.draw(Scene("not_live", 1, sway=0.0), 0.0, 0)


def energy(first: Grey, second: Grey, apart: float = 1.0) -> float | None:
    motion = MotionEnergy()
    motion.since_a_second_ago(first, 10.0)
    return motion.since_a_second_ago(second, 10.0 + apart)


def crop(picture: Grey, box: Box = BOX) -> Grey:
    return face_crop(picture, box, 148)


def test_a_still_face_has_none(face: Grey) -> None:
    assert energy(crop(face), crop(face)) == pytest.approx(0.0, abs=1e-3)


def test_a_mouth_that_moves_has_some(face: Grey) -> None:
    opened = face.copy()
    opened[238:256, 300:340] = 20
    assert energy(crop(face), crop(opened)) > 10 * energy(crop(face), crop(face.copy())) + 0.01


def test_a_trembling_box_is_mostly_undone(face: Grey) -> None:
    trembled = energy(crop(face), crop(face, BOX.shifted(3, 2)))
    opened = face.copy()
    opened[238:256, 300:340] = 20
    assert trembled < 0.5 * energy(crop(face), crop(opened))


def test_exposure_is_divided_out(face: Grey) -> None:
    darker = np.asarray(cv2.convertScaleAbs(face, alpha=0.6), np.uint8)
    assert energy(crop(face), crop(darker)) < 0.02


def test_frames_are_compared_a_second_apart_whatever_the_rate(face: Grey) -> None:
    for rate in (1, 4, 30):
        motion = MotionEnergy()
        values = [motion.since_a_second_ago(crop(face), n / rate) for n in range(5 * rate + 1)]
        assert sum(value is not None for value in values) == 5


@pytest.mark.parametrize("rate", [2, 4, 10, 15, 20, 25, 29.97, 30])
def test_a_steady_movement_has_the_same_energy_at_every_rate(face: Grey, rate: float) -> None:
    def at(seconds: float) -> Grey:
        brow = face.astype(np.float32)
        brow[190:206, 290:350] += 12.0 * seconds  # so many levels of grey in each second
        return crop(np.clip(np.rint(brow), 0, 255).astype(np.uint8))

    def mean_energy(rate: float) -> float:
        motion = MotionEnergy()
        times = [n / rate for n in range(math.ceil(3 * rate) + 1)]
        found = [motion.since_a_second_ago(at(time), time) for time in times]
        return float(np.mean([value for value in found if value is not None]))

    assert mean_energy(rate) == pytest.approx(mean_energy(1), rel=0.01)


def test_after_a_gap_there_is_nothing_to_compare(face: Grey) -> None:
    assert energy(crop(face), crop(face), apart=4.0) is None
    assert energy(crop(face), crop(face), apart=0.5) is None
