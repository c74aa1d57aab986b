"""Figures of the second series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_fea.emotions import LABELS
from edge_fea.summary.statistics import EmotionFigures, emotion_figures
from tests.summary.series import series_of

series_of_any_length = st.integers(1, 60).flatmap(
    lambda n: arrays(np.float64, (n, 7), elements=st.floats(0.01, 1.0)).map(
        lambda values: values / values.sum(axis=1, keepdims=True)
    )
)


def figures_of(series: np.ndarray) -> EmotionFigures:
    return emotion_figures(series_of(series))


@given(series_of_any_length)
def test_means_stay_on_the_simplex(series: np.ndarray) -> None:
    mean = figures_of(series).mean
    assert mean.sum() == pytest.approx(1.0)
    assert (mean >= 0).all()


@given(series_of_any_length, st.permutations(range(7)))
def test_permuting_labels_permutes_figures(series: np.ndarray, order: list[int]) -> None:
    plain, permuted = figures_of(series), figures_of(series[:, order])
    np.testing.assert_allclose(permuted.mean, plain.mean[order], atol=1e-12)
    np.testing.assert_allclose(permuted.sd, plain.sd[order], atol=1e-12)
    assert permuted.margin == pytest.approx(plain.margin)


@given(series_of_any_length)
def test_the_dominant_label_leads_by_the_margin(series: np.ndarray) -> None:
    figures = figures_of(series)
    place = LABELS.index(figures.dominant)
    others = np.delete(figures.mean, place)
    assert figures.mean[place] - others.max() == pytest.approx(figures.margin, abs=1e-12)
    assert figures.margin >= 0


def test_the_standard_deviation_is_the_samples() -> None:
    series = np.zeros((3, 7))
    series[:, 0], series[:, 1] = [0.0, 0.5, 1.0], [1.0, 0.5, 0.0]
    np.testing.assert_allclose(figures_of(series).sd[:2], 0.5)


def test_spread_is_of_one_frame_a_second_and_the_mean_of_all() -> None:
    means = np.full((4, 7), 1 / 7)
    samples = np.eye(7)[[0, 1, 0, 1]]
    figures = emotion_figures(series_of(means, samples))
    np.testing.assert_allclose(figures.mean, 1 / 7)
    assert figures.sd[0] == pytest.approx(np.std([1, 0, 1, 0], ddof=1))


def test_one_second_has_no_spread() -> None:
    assert (figures_of(np.full((1, 7), 1 / 7)).sd == 0).all()


@pytest.mark.parametrize("shape", [(0, 7), (3, 6), (7,)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        emotion_figures(series_of(np.zeros(shape)))
