from dataclasses import replace

import numpy as np

from models.training.augment import NONE, augment

SIZE = 40
PICTURE = np.linspace(0, 255, 56 * 56).reshape(56, 56).astype(np.uint8)


def cropped(strength, seed: int = 1) -> np.ndarray:
    return augment(PICTURE, 0.2, SIZE, np.random.default_rng(seed), strength)


def test_without_strength_the_crop_is_the_same_whatever_the_dice() -> None:
    np.testing.assert_array_equal(cropped(NONE, seed=1), cropped(NONE, seed=2))


def test_a_warped_face_keeps_its_light_and_moves_by_a_few_pixels() -> None:
    warped = cropped(replace(NONE, warp=1.0)).astype(float)
    plain = cropped(NONE).astype(float)
    assert not np.array_equal(warped, plain)
    # The ramp rises by 4.6 from row to row, and features move by up to some three hundredths.
    assert np.abs(warped - plain).max() < 4.6 * 0.1 * SIZE
    assert abs(warped.mean() - plain.mean()) < 5


def test_stretched_and_sheared_crops_differ_from_picture_to_picture() -> None:
    bent = replace(NONE, stretch=0.05, shear=0.05)
    assert not np.array_equal(cropped(bent, seed=1), cropped(bent, seed=2))
