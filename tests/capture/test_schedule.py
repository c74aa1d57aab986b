"""FrameSchedule: which of the frames that a source gives are due."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_fea.capture.frame import FrameSchedule

RATES = st.floats(1.0, 30.0)
STARTS = st.floats(0.0, 1e6)


def numbers(schedule: FrameSchedule, times: list[float]) -> list[int]:
    """The sequence numbers that frames at these times serve, those not due left out."""
    given_out = [schedule.sequence_at(time) for time in times]
    return [number for number in given_out if number is not None]


@given(RATES, STARTS, st.lists(st.floats(0.0, 2.0), min_size=1, max_size=60))
def test_sequence_numbers_strictly_rise_from_zero(
    rate: float, start: float, gaps: list[float]
) -> None:
    got = numbers(FrameSchedule(rate), list(start + np.cumsum(gaps)))
    assert got[0] == 0
    assert all(later > earlier for earlier, later in pairwise(got))


@given(RATES, STARTS, st.lists(st.floats(-0.08, 0.08), min_size=1, max_size=200))
def test_a_source_at_just_the_rate_with_8_percent_jitter_loses_no_frame(
    rate: float, start: float, jitter: list[float]
) -> None:
    times = [start + (place + early) / rate for place, early in enumerate(jitter)]
    assert numbers(FrameSchedule(rate), times) == list(range(len(times)))


@given(RATES, st.floats(1.5, 20.0), st.integers(10, 300))
def test_a_fast_source_is_thinned_to_the_rate_without_a_gap(
    rate: float, factor: float, frames: int
) -> None:
    times = [place / (rate * factor) for place in range(frames)]
    got = numbers(FrameSchedule(rate), times)
    assert got == list(range(len(got)))
    assert len(got) <= times[-1] * rate + 1.5


@given(RATES, st.integers(2, 50))
def test_a_slow_source_gives_all_its_frames_and_jumps_over_what_it_missed(
    rate: float, step: int
) -> None:
    times = [place * step / rate for place in range(20)]
    assert numbers(FrameSchedule(rate), times) == [place * step for place in range(20)]


def test_a_camera_whose_clock_is_a_little_off_loses_no_more_than_that() -> None:
    # 60 millionths are a usual difference between two quartzes. In an hour at 4 frames a second
    # they add up to less than one frame; 2 % of jitter must not turn that into hundreds.
    jitter = np.random.default_rng(7).uniform(-0.02, 0.02, 40 * 3600)
    for drift in (-60e-6, 60e-6):
        places = np.arange(len(jitter)) * (1 + drift) + jitter
        got = numbers(FrameSchedule(4.0), list(places / 4.0))
        lost = got[-1] + 1 - len(got)
        assert lost <= 20, f"{lost} frames lost with a drift of {drift}"


def test_a_pause_of_the_source_shows_as_a_jump_of_the_number() -> None:
    assert numbers(FrameSchedule(4.0), [10.0, 10.25, 12.0, 12.25]) == [0, 1, 8, 9]


def test_a_time_that_falls_back_is_not_due() -> None:
    schedule = FrameSchedule(4.0)
    assert [schedule.sequence_at(time) for time in (10.0, 10.25, 9.0)] == [0, 1, None]
