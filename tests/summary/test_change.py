"""How far later days lie from earlier ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.summary.change import shift
from edge_fea.summary.intervals import t_point

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


def test_one_wild_day_is_called_no_change() -> None:
    """It moves the average, and widens the interval more."""
    wild = shift(WEEK, [*WEEK[:-1], 1.0])
    assert wild is not None
    assert wild.low < 0.0 < wild.high
    assert not wild.clear


@pytest.mark.parametrize(("before", "after"), [(0, 7), (7, 0), (1, 7), (7, 1)])
def test_too_few_days_have_no_interval(before: int, after: int) -> None:
    assert shift(WEEK[:before], WEEK[:after]) is None


def test_the_interval_is_welchs() -> None:
    """Worked by hand: variances 2.5 and 10 of five values each have 5.88 degrees of freedom."""
    found = shift([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0])
    assert found is not None
    assert found.by == pytest.approx(3.0)
    reach = t_point(12.5**2 / ((2.5**2 + 10.0**2) / 4.0)) * (12.5 / 5.0) ** 0.5
    assert (found.low, found.high) == pytest.approx((3.0 - reach, 3.0 + reach))
    assert found.spread == pytest.approx(2.5**0.5)


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
