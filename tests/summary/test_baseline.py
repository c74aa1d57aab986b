"""What is usual for a patient."""

import numpy as np
import pytest

from edge_fea.summary.baseline import BASELINE_INDICES, BaselineRule, Usual, usual_of, z_scores

RULE = BaselineRule(days=14, least_days=3, least_clips=30)


def clips(values) -> list[dict[str, float | None]]:
    return [dict.fromkeys(BASELINE_INDICES, value) for value in values]


def test_the_usual_is_median_and_mad() -> None:
    usual = usual_of(clips(np.linspace(0, 1, 31)), 3, RULE)
    assert usual is not None
    assert usual["negative_mean"].median == pytest.approx(0.5)
    assert usual["negative_mean"].mad == pytest.approx(0.2667, abs=1e-3)


def test_one_wild_day_hardly_moves_it() -> None:
    calm = usual_of(clips([0.2] * 20 + [0.25] * 20), 4, RULE)
    wild = usual_of(clips([0.2] * 20 + [0.25] * 20 + [0.95] * 8), 5, RULE)
    assert calm is not None
    assert wild is not None
    assert abs(wild["negative_mean"].median - calm["negative_mean"].median) < 0.05


@pytest.mark.parametrize(("count", "days"), [(29, 3), (30, 2), (0, 0)])
def test_too_little_is_no_baseline(count: int, days: int) -> None:
    assert usual_of(clips([0.5] * count), days, RULE) is None


def test_an_index_that_is_mostly_null_is_left_out() -> None:
    some = clips([0.5] * 40)
    for clip in some[5:]:
        clip["motion_energy"] = None
    usual = usual_of(some, 3, RULE)
    assert usual is not None
    assert "motion_energy" not in usual
    assert "negative_mean" in usual


def test_z_is_in_robust_standard_deviations() -> None:
    draws = np.random.default_rng(0).normal(0.4, 0.05, 5000)
    usual = usual_of(clips(draws), 10, RULE)
    assert usual is not None
    (scores,) = [z_scores(clip, usual) for clip in clips([0.5])]
    assert scores["z_negative_mean"] == pytest.approx(2.0, abs=0.1)


def test_null_never_becomes_a_z_score() -> None:
    usual = {"negative_mean": Usual(0.5, 0.1), "negative_time": Usual(0.5, 0.0)}
    (clip,) = clips([0.6])
    scores = z_scores({**clip, "negative_mean": None}, usual)
    assert set(scores.values()) == {None}
    assert scores.keys() == {f"z_{name}" for name in BASELINE_INDICES}
