"""How far later days lie from earlier ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.summary.change import shift

WEEK = [0.20, 0.22, 0.19, 0.21, 0.18, 0.23, 0.20]
DAYS = st.lists(st.floats(0.0, 1.0), min_size=6, max_size=14)


def test_days_moved_by_a_constant_are_moved_by_it() -> None:
    found = shift(WEEK, [value + 0.3 for value in WEEK])
    assert found is not None
    assert found.by == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
    assert found.clear


def test_the_same_days_are_no_change() -> None:
    found = shift(WEEK, WEEK)
    assert found is not None
    assert found.low <= 0.0 <= found.high
    assert not found.clear


def test_a_surely_known_but_ordinary_difference_is_no_change() -> None:
    """Smaller than what single days differ by anyway."""
    before = [0.2 + 0.1 * (place % 2) for place in range(40)]
    found = shift(before, [value + 0.06 for value in before])
    assert found is not None
    assert not found.low <= 0.0 <= found.high
    assert not found.clear


def test_one_wild_day_hardly_moves_it() -> None:
    found, wild = shift(WEEK, WEEK), shift(WEEK, [*WEEK[:-1], 1.0])
    assert found is not None
    assert wild is not None
    assert abs(wild.by - found.by) < 0.03


@pytest.mark.parametrize(("before", "after"), [(0, 7), (7, 0), (2, 2), (3, 2)])
def test_too_few_days_have_no_interval(before: int, after: int) -> None:
    assert shift(WEEK[:before], WEEK[:after]) is None


def test_the_interval_bounds_are_those_of_the_rank_sum_test() -> None:
    """Seven and seven: the ninth difference from either end (Hollander & Wolfe, table A.6)."""
    before, after = [float(n) for n in range(7)], [10.0 * n for n in range(1, 8)]
    differences = sorted(b - a for a in before for b in after)
    found = shift(before, after)
    assert found is not None
    assert (found.low, found.high) == (differences[8], differences[-9])


@given(DAYS, DAYS, st.floats(-1.0, 1.0))
def test_moving_the_later_days_moves_all_of_it(
    before: list[float], after: list[float], by: float
) -> None:
    still, moved = shift(before, after), shift(before, [value + by for value in after])
    assert still is not None
    assert moved is not None
    for name in ("by", "low", "high"):
        assert np.isclose(getattr(moved, name), getattr(still, name) + by, atol=1e-9)


@given(DAYS, DAYS)
def test_exchanging_the_two_turns_the_sign(before: list[float], after: list[float]) -> None:
    there, back = shift(before, after), shift(after, before)
    assert there is not None
    assert back is not None
    assert np.isclose(there.by, -back.by)
    assert np.isclose(there.low, -back.high)
    assert there.low <= there.by <= there.high
