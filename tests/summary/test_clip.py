"""Observations become a clip's coverage and figures."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.emotions import LABELS
from edge_fea.summary.clip import ClipAccumulator, ClipFigures, Sufficiency
from edge_fea.vision.observation import Observation, Outcome

ALWAYS = Sufficiency(coverage=0.0, seconds=1)


def seen(sequence: int, label: str) -> Observation:
    return Observation(sequence, Outcome.VALID, np.eye(7)[LABELS.index(label)])


def observation(sequence: int, outcome: Outcome) -> Observation:
    return seen(sequence, "sad") if outcome is Outcome.VALID else Observation(sequence, outcome)


def accumulated(outcomes: list[Outcome], rate: float = 4.0, first: int = 0) -> ClipAccumulator:
    accumulator = ClipAccumulator(first, rate)
    for number, outcome in enumerate(outcomes, first):
        accumulator.add(observation(number, outcome))
    return accumulator


@given(st.lists(st.sampled_from(Outcome), max_size=200), st.sampled_from([1.0, 2.5, 4.0, 30.0]))
def test_outcomes_add_up_to_frames_due(outcomes: list[Outcome], rate: float) -> None:
    coverage = accumulated(outcomes, rate).figures(ALWAYS).coverage
    assert sum(coverage.outcomes.values()) == coverage.frames_due == len(outcomes)
    assert set(coverage.outcomes) == set(Outcome)
    assert 0 <= coverage.coverage <= 1
    lost = coverage.outcomes[Outcome.CAPTURE_LOST] + coverage.outcomes[Outcome.PAUSED]
    assert coverage.frames_captured == coverage.frames_due - lost


@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=100))
def test_null_never_becomes_zero(outcomes: list[Outcome]) -> None:
    figures = accumulated(outcomes).figures(Sufficiency(coverage=0.9, seconds=5))
    assert (figures.scores is None) == (not figures.coverage.sufficient)


@pytest.mark.parametrize("rate", [1.0, 2.5, 3.0, 4.0, 25.0, 29.97, 30.0])
def test_the_mean_does_not_depend_on_the_frame_rate(rate: float) -> None:
    accumulator = ClipAccumulator(0, rate)
    for number in range(int(20 * rate)):
        accumulator.add(seen(number, "happy" if int(number / rate + 1e-9) % 4 else "sad"))
    scores = accumulator.figures(ALWAYS).scores
    assert scores is not None
    assert scores.emotion.mean[LABELS.index("sad")] == pytest.approx(0.25)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 5, 6, 10, 15]))
def test_spreads_and_the_time_course_do_not_depend_on_the_frame_rate(seed: int, rate: int) -> None:
    """The same face, filmed at 30 frames a second and at fewer."""
    dice = np.random.default_rng(seed)
    frames = dice.dirichlet(np.full(7, 0.3), 70 * 30)
    lost = dice.random(70) < 0.2

    def filmed(rate: int) -> ClipFigures:
        accumulator = ClipAccumulator(0, rate)
        for number, probabilities in enumerate(frames[:: 30 // rate]):
            accumulator.add(
                Observation(number, Outcome.NO_FACE)
                if lost[number // rate]
                else Observation(number, Outcome.VALID, probabilities)
            )
        return accumulator.figures(ALWAYS)

    few, many = filmed(rate).scores, filmed(30).scores
    assert few is not None
    assert many is not None
    np.testing.assert_array_equal(few.emotion.sd, many.emotion.sd)
    np.testing.assert_array_equal(few.time_course.dwell_s, many.time_course.dwell_s)
    np.testing.assert_array_equal(few.time_course.bouts, many.time_course.bouts)
    assert few.time_course.transitions_per_min == many.time_course.transitions_per_min
    for name in ("negative_time", "expressivity_sd", "negative_mssd", "negative_inertia"):
        assert getattr(few.indices, name) == getattr(many.indices, name)
    assert few.indices.expressivity_mssd == many.indices.expressivity_mssd
    assert few.indices.expressivity_inertia == many.indices.expressivity_inertia


@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=200), st.sets(st.integers(0, 199)))
def test_figures_taken_at_checkpoints_change_nothing(
    outcomes: list[Outcome], checkpoints: set[int]
) -> None:
    """And a checkpoint says what a clip would that ended there."""
    running = ClipAccumulator(0, 4.0)
    for number, outcome in enumerate(outcomes):
        running.add(observation(number, outcome))
        if number in checkpoints:
            ended = accumulated(outcomes[: number + 1])
            assert same(running.figures(ALWAYS), ended.figures(ALWAYS))
    assert same(running.figures(ALWAYS), accumulated(outcomes).figures(ALWAYS))


def same(one: ClipFigures, other: ClipFigures) -> bool:
    """Equal in every figure, arrays included."""
    return pickle.dumps(one) == pickle.dumps(other)


def test_a_second_counts_once_however_many_of_its_frames_are_valid() -> None:
    accumulator = ClipAccumulator(0, 4.0)
    for number in range(8):
        second_one_half_seen = number in (1, 2)
        accumulator.add(
            seen(number, "happy" if number < 4 else "sad")
            if number < 4 or second_one_half_seen or number == 7
            else Observation(number, Outcome.NO_FACE)
        )
    series = accumulator.series()
    assert series.means.shape == (2, 7)
    assert series.frames.tolist() == [4, 1]
    assert accumulator.figures(ALWAYS).coverage.coverage == 1.0


def test_a_gap_leaves_no_second_behind() -> None:
    outcomes = [Outcome.VALID] * 4 + [Outcome.TOO_DARK] * 8 + [Outcome.VALID] * 4
    series = accumulated(outcomes).series()
    assert series.seconds.tolist() == [0, 3]
    assert len(series.means) == 2


def test_seconds_are_counted_from_the_clips_own_start() -> None:
    series = accumulated([Outcome.VALID] * 8, first=1201).series()
    assert series.seconds.tolist() == [0, 1]


def test_sufficient_needs_both_share_and_seconds() -> None:
    valid, absent = [Outcome.VALID] * 4, [Outcome.NO_FACE] * 4
    rule = Sufficiency(coverage=0.5, seconds=3)
    assert accumulated(valid * 3 + absent * 3).figures(rule).coverage.sufficient
    assert not accumulated(valid * 3 + absent * 4).figures(rule).coverage.sufficient
    assert not accumulated(valid * 2).figures(rule).coverage.sufficient


def test_a_frame_out_of_turn_is_refused() -> None:
    accumulator = ClipAccumulator(5, 4.0)
    with pytest.raises(ValueError, match="observation 6, expected 5"):
        accumulator.add(Observation(6, Outcome.NO_FACE))


def test_a_clip_without_frames_has_no_coverage() -> None:
    figures = ClipAccumulator(0, 4.0).figures(ALWAYS)
    assert (figures.duration_s, figures.coverage.coverage, figures.scores) == (0.0, 0.0, None)
