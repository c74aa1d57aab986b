"""Intervals that allow for autocorrelation. Their coverage: benchmarks/interval_coverage.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_fea.summary.intervals import mean_interval, t_point

values_of_any_length = st.integers(1, 80).flatmap(
    lambda n: arrays(np.float64, n, elements=st.floats(0, 1))
)


def slow(phi: float, n: int = 300, seed: int = 0) -> np.ndarray:
    """An AR(1) process on the logit scale."""
    shocks = np.random.default_rng(seed).normal(size=n)
    state = np.zeros(n)
    state[0] = shocks[0]
    for place in range(1, n):
        state[place] = phi * state[place - 1] + np.sqrt(1 - phi**2) * shocks[place]
    return 1 / (1 + np.exp(-state))


@given(values_of_any_length)
def test_the_interval_holds_the_mean_and_stays_in_range(values: np.ndarray) -> None:
    interval = mean_interval(np.arange(len(values)), values)
    assert 0 <= interval.low <= interval.mean + 1e-12
    assert interval.mean - 1e-12 <= interval.high <= 1
    assert 1 <= interval.n_eff <= len(values)


@given(values_of_any_length, st.integers(0, 1000))
def test_when_the_clip_was_does_not_matter(values: np.ndarray, later: int) -> None:
    seconds = np.arange(len(values))
    assert mean_interval(seconds, values) == mean_interval(seconds + later, values)


def test_the_slower_the_face_the_less_its_seconds_say() -> None:
    sizes = [mean_interval(np.arange(300), slow(phi)).n_eff for phi in (0.0, 0.5, 0.8, 0.95)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 200
    assert sizes[-1] < 30


def test_independent_seconds_get_the_usual_interval() -> None:
    values = np.random.default_rng(3).uniform(0.2, 0.8, 300)
    interval = mean_interval(np.arange(300), values)
    usual = 1.96 * values.std(ddof=1) / np.sqrt(300)
    assert interval.n_eff == 300
    assert interval.high - interval.mean == pytest.approx(usual, rel=0.06)


def test_gaps_leave_seconds_out_and_nothing_else() -> None:
    values = slow(0.8)
    seen = np.r_[0:100, 160:300]
    gappy = mean_interval(seen, values[seen])
    whole = mean_interval(np.arange(300), values)
    assert gappy.n_eff < whole.n_eff
    assert gappy.n_eff == pytest.approx(whole.n_eff * 240 / 300, rel=0.5)


def test_a_face_that_does_not_change_has_a_point_for_an_interval() -> None:
    interval = mean_interval(np.arange(60), np.full(60, 0.25))
    assert interval.low == interval.high == interval.mean == 0.25


@pytest.mark.parametrize("freedom", [1, 1.6, 2.2, 3.5, 7, 12, 25, 50, 300])
def test_students_t_is_that_of_the_tables(freedom: float) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the extra demo")
    assert t_point(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.02)
