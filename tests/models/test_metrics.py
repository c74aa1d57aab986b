"""The measures, against values known by hand; intervals against what they must do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip(
    "sklearn", reason="scikit-learn is not installed: pip install 'edge-fea[train]'"
)

from sklearn.metrics import roc_auc_score

from edge_fea.emotions import LABELS
from models.training.metrics import (
    Bootstrap,
    areas,
    calibration_error,
    confusion,
    difference_interval,
    fit_temperature,
    interval_of,
    logits_of,
    mean_of_classes,
    picture_names,
    precisions,
    recalls,
    reliability,
    share_interval,
    softmax,
)
from models.training.scores import Predictions, gain, score
from models.training.tables import figures_of, percent, points, report

pytestmark = pytest.mark.tensorflow

# Truth: three cats, one dog, no cow. Two cats are found; the dog is taken for a cow.
TABLE = np.array([[2, 1, 0], [0, 0, 1], [0, 0, 0]])


def test_recall_and_precision_of_a_table_known_by_hand() -> None:
    np.testing.assert_allclose(recalls(TABLE), [2 / 3, 0, np.nan])
    np.testing.assert_allclose(precisions(TABLE), [1, 0, np.nan])
    assert mean_of_classes(recalls(TABLE)) == pytest.approx(1 / 3)


def test_a_class_that_is_never_found_has_no_precision_rather_than_none() -> None:
    table = np.array([[3, 0], [2, 0]])
    np.testing.assert_allclose(precisions(table), [0.6, 0])


def test_area_is_the_chance_that_a_picture_of_the_class_comes_first() -> None:
    truth = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8]])
    # Of the four pairs three are in order.
    np.testing.assert_allclose(areas(probabilities, truth), [0.75, 0.75])
    assert np.isnan(areas(probabilities, np.zeros(4, int))).all()


def test_areas_are_those_of_the_library_also_with_ties_and_weights() -> None:
    rng = np.random.default_rng(4)
    truth, weights = rng.integers(0, 3, 60), rng.integers(0, 4, (5, 60)).astype(float)
    probabilities = np.rint(rng.random((60, 3)) * 8) / 8
    found = areas(probabilities, truth, weights)
    for draw, label in np.ndindex(5, 3):
        expected = roc_auc_score(
            truth == label, probabilities[:, label], sample_weight=weights[draw]
        )
        assert found[draw, label] == pytest.approx(expected)


def test_calibration_error_of_one_bin() -> None:
    probabilities = np.tile([0.9, 0.1], (10, 1))
    truth = np.array([0] * 6 + [1] * 4)
    sums = reliability(probabilities, truth).sum(axis=0)
    assert calibration_error(sums) == pytest.approx(0.3)
    assert sums[:, 0].sum() == 10


@given(st.floats(0.3, 3.0))
def test_logits_give_back_their_probabilities(temperature: float) -> None:
    probabilities = softmax(np.random.default_rng(0).normal(0, 2, (5, 7)))
    again = softmax(logits_of(probabilities, temperature), temperature)
    np.testing.assert_allclose(again, probabilities, atol=1e-9)


def test_the_temperature_that_made_the_labels_is_found() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (20_000, 7))
    chances = softmax(logits, 1.8)
    truth = (chances.cumsum(axis=1) < rng.random((len(logits), 1))).sum(axis=1)
    assert fit_temperature([(logits, truth)]) == pytest.approx(1.8, rel=0.05)


def test_an_interval_by_person_is_wider_than_one_by_picture() -> None:
    # Ten people, each found always or never.
    people = np.repeat([f"P{n}" for n in range(10)], 20)
    right = np.repeat([True, False] * 5, 20)
    by_person, by_picture = share_interval(right, people), share_interval(right, picture_names(200))
    assert by_person.value == by_picture.value == 0.5
    assert by_person.high - by_person.low > 3 * (by_picture.high - by_picture.low)


def test_pictures_of_nobody_known_are_redrawn_one_by_one() -> None:
    assert Bootstrap(np.array(["", "", "A", "A"]), draws=5).counts.shape == (5, 3)


def test_every_draw_holds_as_many_people_as_there_are() -> None:
    bootstrap = Bootstrap(np.array(["A", "A", "B", "C"]), draws=50)
    assert (bootstrap.counts.sum(axis=1) == 3).all()
    np.testing.assert_allclose(
        bootstrap.sums(np.ones(4)), np.concatenate(list(bootstrap.weights())).sum(axis=1)
    )


def test_a_difference_on_the_same_pictures_is_sharper_than_two_intervals() -> None:
    rng = np.random.default_rng(2)
    theirs = rng.random(400) < 0.7
    ours = theirs.copy()
    ours[:8] = True
    difference = difference_interval(ours, theirs, picture_names(400))
    alone = share_interval(ours, picture_names(400))
    assert difference.high - difference.low < (alone.high - alone.low) / 2


def test_an_interval_without_any_value_says_so() -> None:
    empty = interval_of(np.nan, np.full(3, np.nan))
    assert (percent(empty), np.isnan(empty.low)) == ("–", True)


def drawn(count: int = 140) -> Predictions:
    rng = np.random.default_rng(3)
    truth = np.arange(count) % len(LABELS)
    logits = rng.normal(0, 1, (count, len(LABELS)))
    logits[np.arange(count), truth] += 1.5
    people = np.asarray([f"P{n // 14}" for n in range(count)])
    coarse = np.rint(logits * 4) / 4
    return Predictions(truth, people, {"int8": softmax(coarse), "float": softmax(logits)})


def test_a_score_agrees_with_its_own_table() -> None:
    seen = drawn()
    found = score(seen.probabilities["int8"], seen.truth, seen.people)
    assert found.table.sum() == found.n == 140
    assert found.people == 10
    assert found.accuracy.value == pytest.approx(np.trace(found.table) / 140)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.balanced.value == pytest.approx(np.mean([c.recall.value for c in found.classes]))
    assert found.table.tolist() == confusion(
        seen.truth, seen.probabilities["int8"].argmax(axis=1), 7
    ).tolist()  # fmt: skip


def test_fewer_classes_leave_pictures_out_and_renormalise() -> None:
    five = drawn().of(("happy", "sad"))
    assert len(five.truth) == 40
    assert set(five.truth.tolist()) == {0, 1}
    np.testing.assert_allclose(five.probabilities["int8"].sum(axis=1), 1)


def test_the_report_has_both_networks_and_their_difference() -> None:
    seen = drawn()
    lines, scores = report("Drawn", seen)
    text = "\n".join(lines)
    assert text.startswith("### Drawn (140 pictures, 10 people)")
    assert f"int8 less float, accuracy: {points(gain(seen, 'int8', 'float'))}" in text
    assert all(label in text for label in LABELS)
    widths = {line.count("|") for line in lines[2:6]}
    assert len(widths) == 1, "a table has as many cells in every line"
    assert {figure.measure for figure in figures_of(scores["int8"], "Drawn")} >= {
        "accuracy", "balanced accuracy", "expected calibration error",
    }  # fmt: skip


def test_a_class_of_few_pictures_has_no_shares() -> None:
    seen = drawn()
    some = seen.where((seen.truth != 0) | (np.cumsum(seen.truth == 0) <= 3))
    lines = report("Drawn", some)[0]
    row = next(line for line in lines if line.startswith(f"| {LABELS[0]} | 3 |"))
    assert set(row.split(" | ")[2:]) == {"too few", "too few |"}
