"""The attention map over a face: what is drawn, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.config import VisionSettings
from edge_fea.errors import NetworkInvalid, NotFoundError
from edge_fea.vision.attention import PANEL, attention_over, draw
from edge_fea.vision.boxes import Box
from edge_fea.vision.classifier import Classifier, default_network
from edge_fea.vision.observation import Outcome
from edge_fea.vision.stills import StillClassifier, StillReading

FACE = StillReading(Outcome.VALID, Box(20, 10, 100, 100), None)


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier(default_network())


def panels(attention: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    picture = draw(np.full((150, 200), 128, np.uint8), FACE, attention)
    assert (picture.shape, picture.dtype) == ((PANEL, 2 * PANEL, 3), np.uint8)
    return picture[:, :PANEL], picture[:, PANEL:]


def test_the_shipped_network_gives_a_map_of_the_face(
    shipped: Classifier, stage: DemoSource
) -> None:
    picture = stage.draw(Scene("valid", 1), 0.0, 0)
    still = StillClassifier(VisionSettings(), shipped).read(picture)
    attention = attention_over(picture, still, shipped)
    assert attention.shape == (5, 5)
    assert 0 <= attention.min() < attention.max() <= 1


def test_the_first_panel_is_the_face_in_grey() -> None:
    face, _ = panels(np.eye(4))
    assert (face == 128).all()


def test_most_attention_is_red_and_least_is_blue() -> None:
    attention = np.zeros((4, 4))
    attention[0, 3] = 1.0
    _, covered = panels(attention)
    blue, _, red = covered[10, -10].astype(int)
    assert red > blue
    blue, _, red = covered[-10, 10].astype(int)
    assert blue > red


def test_even_attention_is_drawn_even() -> None:
    _, covered = panels(np.full((4, 4), 0.3))
    assert (covered == covered[0, 0]).all()


def test_the_rest_of_the_picture_is_not_shown() -> None:
    picture = np.zeros((150, 200), np.uint8)
    picture[10:110, 20:120] = 255
    assert (draw(picture, FACE, np.eye(2))[:, :PANEL] == 255).all()


@pytest.mark.parametrize(
    "still",
    [
        StillReading(Outcome.NO_FACE, None, None),
        StillReading(Outcome.AMBIGUOUS, None, None),
        StillReading(Outcome.NOT_A_FACE, Box(20, 10, 100, 100), None),
    ],
    ids=lambda still: still.outcome,
)
def test_without_one_face_there_is_nothing_to_explain(
    shipped: Classifier, still: StillReading
) -> None:
    with pytest.raises(NotFoundError, match="no face to explain"):
        attention_over(np.zeros((150, 200), np.uint8), still, shipped)


def test_a_network_without_the_map_is_named() -> None:
    manifest = SimpleNamespace(name="plain", outputs=SimpleNamespace(attention=None))
    with pytest.raises(NetworkInvalid, match="plain has no attention output"):
        attention_over(np.zeros((150, 200), np.uint8), FACE, SimpleNamespace(manifest=manifest))
