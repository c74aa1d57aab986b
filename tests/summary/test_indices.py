"""Negative share, variety, doubt, expressivity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_fea.emotions import LABELS
from edge_fea.summary.indices import Indices, duration_band, entropy_bits, indices
from edge_fea.summary.timecourse import label_states
from tests.summary.series import series_of

NONE = np.array([])


def of(labels: list[str]) -> Indices:
    return found(np.eye(7)[[LABELS.index(label) for label in labels]], np.zeros(len(labels)), NONE)


def found(probabilities: np.ndarray, doubt: np.ndarray, motion: np.ndarray) -> Indices:
    series = series_of(probabilities)
    return indices(series, label_states(series.seconds, series.samples), doubt, motion)


def test_the_negative_share_counts_the_four_negative_labels() -> None:
    share = of(["angry", "disgust", "fear", "sad", "happy", "surprise", "neutral", "neutral"])
    assert share.negative.mean == pytest.approx(0.5)
    assert share.negative_time == 0.5


def test_expressivity_is_how_far_the_face_is_from_neutral() -> None:
    index = of(["neutral"] * 3 + ["happy"])
    assert index.expressivity.mean == pytest.approx(0.25)
    assert index.expressivity_sd == pytest.approx(0.5)


def test_variety_is_0_for_one_label_and_largest_for_all_alike() -> None:
    assert of(["sad"] * 5).variety_bits == 0.0
    assert of(list(LABELS)).variety_bits == pytest.approx(np.log2(7))


def test_doubt_is_the_mean_of_what_each_second_says() -> None:
    series = np.full((4, 7), 1 / 7)
    assert found(series, np.array([0.0, 1.0, 2.0, 1.0]), NONE).doubt_bits == 1.0


def test_motion_is_null_without_neighbours_and_never_zero_instead() -> None:
    series = np.full((4, 7), 1 / 7)
    still, none = np.array([0.0, 0.1]), NONE
    assert found(series, np.zeros(4), still).motion == pytest.approx(0.05)
    assert found(series, np.zeros(4), none).motion is None


@given(arrays(np.float64, 7, elements=st.floats(0, 1)).filter(lambda v: v.sum() > 0))
def test_entropy_lies_between_0_and_log2_7(values: np.ndarray) -> None:
    assert -1e-12 <= entropy_bits(values / values.sum()) <= np.log2(7) + 1e-12


@pytest.mark.parametrize(
    ("seconds", "band"),
    [
        (0, "never"),
        (1, "under 16 s"),
        (15, "under 16 s"),
        (16, "16 to 59 s"),
        (59, "16 to 59 s"),
        (60, "1 to 5 min"),
        (300, "1 to 5 min"),
        (301, "over 5 min"),
    ],
)
def test_duration_bands(seconds: int, band: str) -> None:
    assert duration_band(seconds) == band
