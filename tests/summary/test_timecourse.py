"""Dwell times, bouts, transitions, instability, inertia."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.emotions import LABELS
from edge_fea.summary.timecourse import (
    TimeCourse,
    inertia,
    label_states,
    mean_square_successive_difference,
    time_course,
)

HAPPY, SAD = LABELS.index("happy"), LABELS.index("sad")


def series_of(labels: list[int], strength: float = 1.0) -> np.ndarray:
    rest = (1 - strength) / 6
    return np.full((len(labels), 7), rest) + np.eye(7)[labels] * (strength - rest)


def course_of(seconds: np.ndarray, samples: np.ndarray) -> TimeCourse:
    return time_course(seconds, label_states(seconds, samples))


gappy_labels = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=80)


@given(gappy_labels)
def test_dwell_times_add_up_to_valid_seconds(steps: list[tuple[int, bool]]) -> None:
    labels = [label for label, _ in steps]
    seconds = np.cumsum([3 if gap else 1 for _, gap in steps])
    course = course_of(seconds, series_of(labels))
    assert course.dwell_s.sum() == len(labels)
    assert ((course.bouts > 0) == (course.dwell_s > 0)).all()
    assert (course.bouts <= course.dwell_s).all()


@given(gappy_labels, st.permutations(range(7)))
def test_permuting_labels_permutes_dwell_times(
    steps: list[tuple[int, bool]], order: list[int]
) -> None:
    series = series_of([label for label, _ in steps])
    seconds = np.cumsum([3 if gap else 1 for _, gap in steps])
    plain, permuted = course_of(seconds, series), course_of(seconds, series[:, order])
    assert (permuted.dwell_s == plain.dwell_s[order]).all()
    assert (permuted.bouts == plain.bouts[order]).all()
    assert permuted.transitions_per_min == plain.transitions_per_min


def test_bouts_and_transitions() -> None:
    course = course_of(np.arange(6), series_of([HAPPY, HAPPY, SAD, SAD, HAPPY, HAPPY]))
    assert (course.bouts[HAPPY], course.bouts[SAD]) == (2, 1)
    assert course.transitions_per_min == 2 / (6 / 60)


def test_a_gap_ends_a_bout_and_is_no_transition() -> None:
    course = course_of(np.array([0, 1, 5, 6]), series_of([HAPPY, HAPPY, SAD, SAD]))
    assert (course.bouts[HAPPY], course.bouts[SAD]) == (1, 1)
    assert course.transitions_per_min == 0
    again = course_of(np.array([0, 1, 5, 6]), series_of([HAPPY] * 4))
    assert again.bouts[HAPPY] == 2


def test_a_small_lead_does_not_change_the_label() -> None:
    series = series_of([HAPPY, SAD, HAPPY, SAD], strength=0.2)
    series[:, [HAPPY, SAD]] = [[0.40, 0.35], [0.35, 0.40], [0.40, 0.35], [0.25, 0.50]]
    assert label_states(np.arange(4), series).tolist() == [HAPPY, HAPPY, HAPPY, SAD]


def test_after_a_gap_the_strongest_label_begins_anew() -> None:
    series = series_of([HAPPY, SAD], strength=0.2)
    series[:, [HAPPY, SAD]] = [[0.40, 0.35], [0.35, 0.40]]
    assert label_states(np.array([0, 1]), series).tolist() == [HAPPY, HAPPY]
    assert label_states(np.array([0, 2]), series).tolist() == [HAPPY, SAD]


def test_successive_differences_skip_gaps() -> None:
    values = np.concatenate([np.zeros(40), np.ones(40)])
    assert mean_square_successive_difference(np.arange(80), values) == pytest.approx(1 / 79)
    apart = np.concatenate([np.arange(40), np.arange(50, 90)])
    assert mean_square_successive_difference(apart, values) == 0.0


def test_inertia_is_the_lag_one_autocorrelation() -> None:
    shocks = np.random.default_rng(0).normal(size=5000)
    values = np.zeros(5000)
    for place in range(1, 5000):
        values[place] = 0.7 * values[place - 1] + shocks[place]
    assert inertia(np.arange(5000), values) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("figure", [inertia, mean_square_successive_difference])
def test_too_few_neighbours_are_null(figure) -> None:
    assert figure(np.arange(0, 120, 2), np.random.default_rng(0).random(60)) is None
    assert figure(np.arange(30), np.random.default_rng(0).random(30)) is None


def test_a_face_that_does_not_change_has_no_inertia() -> None:
    assert inertia(np.arange(100), np.full(100, 0.5)) is None
