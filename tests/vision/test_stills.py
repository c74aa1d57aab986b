"""Single pictures through the device's own path."""

import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.config import VisionSettings
from edge_fea.vision.observation import Outcome
from edge_fea.vision.stills import StillClassifier
from tests.conftest import StubClassifier


def stills(face: bool = True) -> StillClassifier:
    return StillClassifier(VisionSettings(), StubClassifier(face=face))


def test_a_face_is_found_and_read(stage: DemoSource) -> None:
    still = stills().read(stage.draw(Scene("valid", 1), 0.0, 0))
    assert still.outcome is Outcome.VALID
    assert still.box is not None
    assert still.reading is not None


@pytest.mark.parametrize(
    ("scene", "outcome"),
    [
        (Scene("no_face", 1, places=()), Outcome.NO_FACE),
        (Scene("ambiguous", 1, places=((0.3, 0.45), (0.7, 0.45))), Outcome.AMBIGUOUS),
        (Scene("too_dark", 1, light=0.05), Outcome.TOO_DARK),
    ],
    ids=lambda value: getattr(value, "outcome", None),
)
def test_a_picture_without_one_face_has_no_probabilities(
    stage: DemoSource, scene: Scene, outcome: Outcome
) -> None:
    still = stills().read(stage.draw(scene, 0.0, 0))
    assert (still.outcome, still.box, still.reading) == (outcome, None, None)


def test_a_poor_face_is_read_all_the_same(stage: DemoSource) -> None:
    still = stills().read(stage.draw(Scene("blurred", 1, blur=12.0), 0.0, 0))
    assert still.outcome is Outcome.BLURRED
    assert still.reading is not None


def test_what_only_looks_like_a_face_is_named(stage: DemoSource) -> None:
    still = stills(face=False).read(stage.draw(Scene("x", 1, places=(), lure=True), 0.0, 0))
    assert still.outcome is Outcome.NOT_A_FACE
    assert still.box is not None


def test_several_things_that_only_look_like_faces_are_not_ambiguous(stage: DemoSource) -> None:
    two = Scene("x", 1, places=((0.3, 0.45), (0.7, 0.45)))
    assert stills(face=False).read(stage.draw(two, 0.0, 0)).outcome is Outcome.NOT_A_FACE


def test_without_detection_the_picture_is_the_crop() -> None:
    still = stills().read(np.zeros((48, 48), np.uint8), detect=False)
    assert still.outcome is Outcome.VALID
    assert still.box == (0, 0, 48, 48)
