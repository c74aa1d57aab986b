"""Whose face."""

from hypothesis import given
from hypothesis import strategies as st

from edge_fea.vision.geometry import Box
from edge_fea.vision.observation import Outcome
from edge_fea.vision.patient import Zone, choose

WHOLE = Zone(0.0, 0.0, 1.0, 1.0)
RIGHT = Zone(0.5, 0.0, 1.0, 1.0)
LEFT_FACE, RIGHT_FACE = Box(100, 100, 100, 100), Box(440, 100, 100, 100)


def decide(candidates: list[Box], held: Box | None = None, zone: Zone = WHOLE):
    return choose(candidates, held, zone, 640, 480)


def test_nobody_is_no_face() -> None:
    assert decide([]) == (None, Outcome.NO_FACE)


def test_one_face_is_the_patients() -> None:
    assert decide([LEFT_FACE]) == (LEFT_FACE, Outcome.VALID)


def test_a_face_outside_the_zone_is_never_the_patients() -> None:
    assert decide([LEFT_FACE], zone=RIGHT) == (None, Outcome.OFF_ZONE)


def test_the_zone_tells_two_faces_apart() -> None:
    assert decide([LEFT_FACE, RIGHT_FACE], zone=RIGHT) == (RIGHT_FACE, Outcome.VALID)


def test_two_like_faces_are_ambiguous() -> None:
    assert decide([LEFT_FACE, RIGHT_FACE]) == (None, Outcome.AMBIGUOUS)


def test_a_face_far_behind_is_no_rival() -> None:
    assert decide([LEFT_FACE, Box(440, 100, 49, 49)]) == (LEFT_FACE, Outcome.VALID)


def test_a_held_face_stays_the_patients_when_somebody_comes() -> None:
    moved = Box(120, 110, 105, 105)
    assert decide([RIGHT_FACE, moved], held=LEFT_FACE) == (moved, Outcome.VALID)


def test_a_face_elsewhere_right_after_the_patients_is_not_taken_for_it() -> None:
    assert decide([RIGHT_FACE], held=LEFT_FACE) == (None, Outcome.AMBIGUOUS)


def test_a_much_nearer_face_in_the_same_place_is_somebody_leaning_in() -> None:
    assert decide([Box(60, 60, 180, 180)], held=LEFT_FACE) == (None, Outcome.AMBIGUOUS)


squares = st.tuples(st.integers(0, 500), st.integers(0, 400), st.integers(30, 140)).map(
    lambda place: Box(place[0], place[1], place[2], place[2])
)


@given(st.lists(squares, max_size=4), st.booleans())
def test_the_order_of_the_candidates_does_not_matter(candidates: list[Box], hold: bool) -> None:
    held = LEFT_FACE if hold else None
    box, outcome = decide(candidates, held)
    again, outcome_again = decide(candidates[::-1], held)
    assert outcome == outcome_again
    assert (box is None) == (again is None)
    assert box is None or box in candidates
