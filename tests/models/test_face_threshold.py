"""The face check's threshold: where it lies, and who is judged by whose choice."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs the extra train: pip install 'edge-fea[train]'")

from models.training.data import half_of, share_of
from models.training.face_threshold import face_check, level, refused_by_others


def test_it_lies_just_below_a_level_that_int8_can_give() -> None:
    faces = np.full(800, 0.9)
    faces[:100] = 0.41560002
    faces[:3] = 0.2
    assert level(faces) == 0.4156


def test_each_half_is_judged_by_what_the_other_half_chose() -> None:
    people = np.asarray([f"P{number}" for number in range(800)])
    first = half_of(people)
    # The first half's faces are all surer than the second's: it refuses them, and they nothing.
    faces = np.where(first, 0.9, 0.5)
    assert (refused_by_others(faces, people) == ~first).all()
    check = face_check(faces, people, np.array([0.1, 0.5]))
    assert (check.threshold, check.true_faces) == (0.5, 800)
    assert check.false_reject == pytest.approx((~first).mean())
    assert (check.false_accept, check.false_boxes) == (0.5, 2)


def test_one_persons_pictures_are_in_one_half() -> None:
    people = np.asarray(["P1"] * 5 + ["P2"] * 5)
    for name in ("P1", "P2"):
        assert len(set(half_of(people)[people == name].tolist())) == 1
    alone = face_check(np.full(3, 0.9), np.asarray(["P1"] * 3), np.array([0.1]))
    assert (alone.threshold, alone.true_faces) == (0.9, 0)


def test_those_held_out_by_lot_fall_into_both_halves() -> None:
    people = np.asarray([f"P{number}" for number in range(3000)])
    held_out = people[share_of(people, 10)]
    assert 0.4 < half_of(held_out).mean() < 0.6
