"""The measured figures of a face, on a real one that is degraded step by step."""

import cv2
import numpy as np
import pytest

from edge_fea.capture.demo import DemoSource, Scene
from edge_fea.config import QualitySettings
from edge_fea.vision.faces import HaarDetector
from edge_fea.vision.geometry import Grey, face_crop
from edge_fea.vision.observation import Outcome
from edge_fea.vision.quality import judge, judge_empty_frame, measure

LIMITS = QualitySettings()


@pytest.fixture(scope="module")
def crop(stage: DemoSource) -> Grey:
    picture = stage.draw(Scene("valid", 1), 0.0, 0)
    return face_crop(picture, HaarDetector(48).search(picture)[0], 148)


def outcome(crop: Grey, side: int = 120) -> Outcome:
    return judge(measure(crop, side), LIMITS)


def test_a_good_face_is_valid(crop: Grey) -> None:
    assert outcome(crop) is Outcome.VALID


def test_a_far_face_is_too_small(crop: Grey) -> None:
    assert outcome(crop, 63) is Outcome.FACE_TOO_SMALL
    assert outcome(crop, 64) is Outcome.VALID


def test_a_dim_face_is_too_dark(crop: Grey) -> None:
    assert outcome((crop * 0.15).astype(np.uint8)) is Outcome.TOO_DARK


def test_a_glaring_face_is_too_bright(crop: Grey) -> None:
    assert outcome(np.clip(crop * 2.5, 0, 255).astype(np.uint8)) is Outcome.TOO_BRIGHT


@pytest.mark.parametrize("share", [0.08, 0.12])
def test_a_smeared_face_is_blurred(crop: Grey, share: float) -> None:
    assert outcome(np.asarray(cv2.GaussianBlur(crop, (0, 0), share * 148))) is Outcome.BLURRED


def test_a_slightly_soft_face_is_not_blurred(crop: Grey) -> None:
    assert outcome(np.asarray(cv2.GaussianBlur(crop, (0, 0), 0.02 * 148))) is Outcome.VALID


def test_sharpness_does_not_depend_on_distance(crop: Grey) -> None:
    far = cv2.resize(crop, (60, 60), interpolation=cv2.INTER_AREA)
    assert measure(np.asarray(far), 60).sharpness == pytest.approx(
        measure(crop, 148).sharpness, rel=0.2
    )


def test_a_head_turned_by_48_degrees_is_turned_away(stage: DemoSource) -> None:
    picture = stage.draw(Scene("turned_away", 1, yaw=48.0), 0.0, 0)
    turned = face_crop(picture, HaarDetector(48).search(picture)[0], 148)
    assert outcome(turned) is Outcome.TURNED_AWAY


def test_a_mirrored_face_is_as_symmetric(crop: Grey) -> None:
    mirrored = np.ascontiguousarray(crop[:, ::-1])
    assert measure(mirrored, 148).symmetry == pytest.approx(measure(crop, 148).symmetry, abs=1e-6)


def test_a_flat_crop_has_figures() -> None:
    quality = measure(np.full((148, 148), 128, np.uint8), 148)
    assert (quality.sharpness, quality.symmetry) == (0.0, -1.0)


def test_an_empty_frame_is_dark_glaring_or_empty() -> None:
    dark, bright, plain = (np.full((480, 640), luma, np.uint8) for luma in (5, 255, 120))
    assert judge_empty_frame(dark, LIMITS) is Outcome.TOO_DARK
    assert judge_empty_frame(bright, LIMITS) is Outcome.TOO_BRIGHT
    assert judge_empty_frame(plain, LIMITS) is Outcome.NO_FACE
