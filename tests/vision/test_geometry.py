"""Boxes and crops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.vision.geometry import Box, cut, face_crop

boxes = st.builds(
    Box, st.integers(-50, 250), st.integers(-50, 250), st.integers(1, 200), st.integers(1, 200)
)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(one: Box, other: Box) -> None:
    assert one.overlap(other) == other.overlap(one)
    assert 0.0 <= one.overlap(other) <= 1.0


@given(boxes)
def test_a_box_overlaps_itself_fully(box: Box) -> None:
    assert box.overlap(box) == 1.0


@given(boxes)
def test_within_stays_in_the_picture(box: Box) -> None:
    inside = box.within(200, 100)
    assert 0 <= inside.x <= inside.x + inside.width <= 200
    assert 0 <= inside.y <= inside.y + inside.height <= 100


def test_growing_keeps_the_centre() -> None:
    assert Box(10, 20, 40, 40).grown(2.0) == Box(-10, 0, 80, 80)


def test_a_crop_of_the_networks_size_is_the_picture_itself() -> None:
    picture = np.arange(200 * 200, dtype=np.int64).reshape(200, 200).astype(np.uint8)
    assert (face_crop(picture, Box(10, 20, 148, 148), 148) == picture[20:168, 10:158]).all()


@given(boxes.filter(lambda box: cut(np.zeros((200, 200), np.uint8), box).size > 0))
def test_every_crop_has_the_networks_size(box: Box) -> None:
    assert face_crop(np.zeros((200, 200), np.uint8), box, 64, 0.1).shape == (64, 64)


def test_beyond_the_edge_the_nearest_pixel_is_repeated() -> None:
    picture = np.full((100, 100), 50, np.uint8)
    picture[:, 0] = 200
    crop = face_crop(picture, Box(-20, 0, 40, 40), 40)
    assert (crop[:, :20] == 200).all()


def test_a_margin_shows_more_around_the_face() -> None:
    picture = np.zeros((100, 100), np.uint8)
    picture[40:60, 40:60] = 255
    assert face_crop(picture, Box(40, 40, 20, 20), 32).mean() == 255
    assert face_crop(picture, Box(40, 40, 20, 20), 32, 0.5).mean() == pytest.approx(64, abs=8)


def test_a_box_outside_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the picture"):
        face_crop(np.zeros((50, 50), np.uint8), Box(60, 60, 10, 10), 32)
