from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from rcae.base.errors import DataError
from rcae.evaluation.metrics.ranking import (
    ThresholdCounter,
    auroc,
    average_precision,
    f1_max,
    image_metrics,
    rank_scores,
    roc_curve,
)

# Few values make ties; neither kind stays within [0, 1].
FEW_VALUES = st.sampled_from([-1e6, -2.5, 0.0, 0.25, 0.5, 1.0, 3.0, 4e8])
ANY_VALUE = st.floats(-(2.0**100), 2.0**100, width=32)
SCORED = st.one_of(
    *(st.lists(st.tuples(value, st.booleans()), min_size=2) for value in (FEW_VALUES, ANY_VALUE))
)
DTYPES = st.sampled_from([np.float32, np.float64])
fixed = settings(derandomize=True, deadline=None, max_examples=100)


def as_arrays(scored, dtype=np.float64) -> tuple[NDArray, NDArray]:
    scores, labels = zip(*scored, strict=True)
    return np.array(scores, dtype), np.array(labels, np.bool_)


def both_classes(scored, dtype=np.float64) -> tuple[NDArray, NDArray]:
    scores, labels = as_arrays(scored, dtype)
    assume(labels.any() and not labels.all())
    return scores, labels


@fixed
@given(SCORED, DTYPES)
def test_auroc_and_average_precision_equal_scikit_learn(scored, dtype):
    scores, labels = both_classes(scored, dtype)
    table = rank_scores(scores, labels)
    assert auroc(table) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(table) == pytest.approx(
        sklearn_metrics.average_precision_score(labels, scores), abs=1e-12
    )


@fixed
@given(SCORED, DTYPES)
def test_f1_max_is_the_best_over_every_score_and_names_the_highest_such_threshold(scored, dtype):
    scores, labels = both_classes(scored, dtype)
    thresholds = np.unique(scores)[::-1]
    f1 = [
        2 * np.sum(labels & (scores >= threshold)) / (np.sum(scores >= threshold) + labels.sum())
        for threshold in thresholds
    ]
    best = f1_max(rank_scores(scores, labels))
    assert best == (max(f1), thresholds[int(np.argmax(f1))])


@fixed
@given(SCORED, DTYPES)
def test_the_table_holds_the_counts_of_a_plain_loop(scored, dtype):
    scores, labels = as_arrays(scored, dtype)
    table = rank_scores(scores, labels)
    assert table.thresholds.dtype == dtype
    assert table.thresholds.tolist() == sorted(set(scores[labels].tolist()), reverse=True)
    for row, threshold in enumerate(table.thresholds):
        assert table.true_positives[row] == np.sum(scores[labels] >= threshold)
        assert table.false_positives[row] == np.sum(scores[~labels] >= threshold)
        assert table.false_positives_above[row] == np.sum(scores[~labels] > threshold)
    assert (table.positive_count, table.negative_count) == (labels.sum(), (~labels).sum())


@fixed
@given(SCORED)
def test_the_roc_curve_spans_the_unit_square_and_encloses_the_auroc(scored):
    scores, labels = both_classes(scored)
    table = rank_scores(scores, labels)
    curve = roc_curve(table)
    rate, height = curve
    assert (rate[0], height[0], rate[-1], height[-1]) == (0, 0, 1, 1)
    assert (np.diff(rate) >= 0).all()
    assert (np.diff(height) >= 0).all()
    area = np.sum(np.diff(rate) * (height[1:] + height[:-1]) / 2)
    assert area == pytest.approx(auroc(table), abs=1e-12)


def test_the_roc_curve_of_a_worked_example_climbs_straight_through_a_tie():
    scores = np.array([0.9, 0.7, 0.5, 0.5, 0.1])
    labels = np.array([True, False, True, False, False])
    curve = roc_curve(rank_scores(scores, labels))
    third = 1 / 3
    assert curve.false_positive_rate == pytest.approx([0, 0, 0, third, 2 * third, 1])
    assert curve.height == pytest.approx([0, 0, 0.5, 0.5, 1, 1])


@fixed
@given(SCORED, st.integers(1, 5))
def test_negatives_counted_in_batches_give_the_same_table(scored, batch_count):
    scores, labels = as_arrays(scored)
    counter = ThresholdCounter(scores[labels])
    for batch in np.array_split(scores[~labels], batch_count):
        counter.add_negatives(batch)
    np.testing.assert_equal(vars(counter.table()), vars(rank_scores(scores, labels)))


@pytest.mark.parametrize(
    "rescale",
    [lambda x: 1e6 * x - 7, lambda x: x**3, np.exp, np.arctan, lambda x: -1 / (x + 9)],
)
def test_a_strictly_rising_change_of_scale_changes_nothing(
    rescale: Callable[[NDArray], NDArray],
):
    generator = np.random.default_rng(0)
    scores = generator.integers(-5, 6, 60).astype(np.float64)
    labels = generator.random(60) < 0.4
    assert image_metrics(rescale(scores), labels) == image_metrics(scores, labels)


def test_the_order_of_images_does_not_matter():
    generator = np.random.default_rng(1)
    scores = generator.integers(0, 9, 80).astype(np.float32)
    labels = generator.random(80) < 0.3
    order = generator.permutation(80)
    assert image_metrics(scores[order], labels[order]) == image_metrics(scores, labels)


def test_perfect_and_worst_rankings_reach_the_ends_of_the_scale():
    labels = np.array([False, False, True, True])
    best = image_metrics(np.array([-4.0, -3.0, 200.0, 300.0]), labels)
    assert best == {"image_auroc": 1.0, "image_ap": 1.0, "image_f1_max": 1.0}
    assert image_metrics(np.array([4.0, 3.0, 2.0, 1.0]), labels)["image_auroc"] == 0.0
    assert image_metrics(np.full(4, 7.5), labels)["image_auroc"] == 0.5


def test_scores_closer_than_float32_can_tell_are_told_apart_in_float64():
    scores = np.array([1.0, 1.0 + 1e-12])
    labels = np.array([False, True])
    assert image_metrics(scores, labels)["image_auroc"] == 1.0
    assert image_metrics(scores.astype(np.float32), labels)["image_auroc"] == 0.5


@pytest.mark.parametrize("labels", [[False] * 3, [True] * 3, []])
def test_without_both_classes_every_metric_is_none(labels):
    is_defective = np.array(labels, np.bool_)
    scores = np.linspace(0, 1, len(labels))
    assert set(image_metrics(scores, is_defective).values()) == {None}
    assert roc_curve(rank_scores(scores, is_defective)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1])
def test_a_score_that_is_not_finite_is_refused_in_either_class(value, position):
    scores = np.array([0.1, 0.2, 0.3])
    scores[position] = value
    with pytest.raises(DataError, match="1 of 3 values are NaN or infinite"):
        rank_scores(scores, np.array([True, False, True]))


def test_labels_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"shape \(3,\) with labels of shape \(2,\)"):
        rank_scores(np.zeros(3), np.zeros(2, np.bool_))


def test_integer_labels_that_would_index_instead_of_select_are_refused():
    with pytest.raises(DataError, match="labels of uint8"):
        rank_scores(np.zeros(3), np.zeros(3, np.uint8))


def test_scores_too_coarse_to_rank_are_refused():
    with pytest.raises(DataError, match="got float16"):
        rank_scores(np.zeros(3, np.float16), np.zeros(3, np.bool_))
