import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from rcae.base.errors import DataError
from rcae.evaluation.metrics.comparison import compare_auroc, compare_decisions

FEW_VALUES = st.sampled_from([-1e6, -2.5, 0.0, 0.25, 0.5, 1.0, 3.0, 4e8])
SCORED = st.lists(st.tuples(FEW_VALUES, FEW_VALUES, st.booleans()), min_size=4, max_size=30)
fixed = settings(derandomize=True, deadline=None, max_examples=60)


def components(scores, labels):
    """V10 [positives] and V01 [negatives] of DeLong et al., by a loop over all pairs."""

    def won(positive, negative):
        return 1.0 if positive > negative else 0.5 if positive == negative else 0.0

    positives, negatives = scores[labels].tolist(), scores[~labels].tolist()
    psi = np.array([[won(x, y) for y in negatives] for x in positives])
    return psi.mean(axis=1), psi.mean(axis=0)


def delong(scores_a, scores_b, labels):
    """Difference B - A and its variance by the covariance matrices, as the paper writes it."""
    (v10_a, v01_a), (v10_b, v01_b) = components(scores_a, labels), components(scores_b, labels)
    covariance = np.cov([v10_a, v10_b]) / v10_a.size + np.cov([v01_a, v01_b]) / v01_a.size
    contrast = np.array([-1, 1])
    return v10_b.mean() - v10_a.mean(), contrast @ covariance @ contrast


@fixed
@given(SCORED)
def test_difference_interval_and_p_are_those_of_the_covariance_of_all_pairs(scored):
    scores_a, scores_b, labels = map(np.array, zip(*scored, strict=True))
    assume(min(labels.sum(), (~labels).sum()) >= 2)
    found = compare_auroc(scores_a, scores_b, labels)
    difference, variance = delong(scores_a, scores_b, labels)
    assert found.a == pytest.approx(roc_auc_score(labels, scores_a), abs=1e-12)
    assert found.b == pytest.approx(roc_auc_score(labels, scores_b), abs=1e-12)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    if variance < 1e-12:
        assert found.interval is None
        assert found.p_value == (1.0 if found.difference == 0 else None)
        return
    z = difference / np.sqrt(variance)
    assert found.p_value == pytest.approx(1 - stats.chi2.cdf(z**2, df=1), abs=1e-9)
    reach = 1.959963984540054 * np.sqrt(variance)
    ends = np.clip([difference - reach, difference + reach], -1, 1)
    assert found.interval == pytest.approx(tuple(ends), abs=1e-9)


def models(random, count=120, shift_b=1.0):
    """Scores of two models that share half of their noise, and labels: half are defective."""
    labels = np.arange(count) < count // 2
    common = random.normal(size=count)
    scores_a = common + random.normal(size=count) + labels
    return scores_a, common + random.normal(size=count) + shift_b * labels, labels


def test_models_exchanged_are_the_same_difference_the_other_way():
    scores_a, scores_b, labels = models(np.random.default_rng(0), shift_b=1.5)
    found, other = (
        compare_auroc(scores_a, scores_b, labels),
        compare_auroc(scores_b, scores_a, labels),
    )
    assert found.difference == -other.difference != 0
    assert found.interval == pytest.approx((-other.interval.high, -other.interval.low))
    assert found.p_value == other.p_value
    assert found.interval_a == other.interval_b


def test_another_unit_of_one_models_scores_changes_nothing():
    scores_a, scores_b, labels = models(np.random.default_rng(1))
    found = compare_auroc(scores_a, scores_b, labels)
    assert compare_auroc(scores_a, np.exp(scores_b) * 1e-6, labels) == found


def test_equally_good_models_are_told_apart_about_as_often_as_chance_allows():
    random = np.random.default_rng(2)
    found = [compare_auroc(*models(random)) for _ in range(300)]
    assert np.mean([one.p_value < 0.05 for one in found]) == pytest.approx(0.05, abs=0.035)
    covered = [one.interval.low <= 0 <= one.interval.high for one in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


def test_the_interval_of_a_true_difference_covers_it():
    random = np.random.default_rng(3)
    truth = stats.norm.cdf(2 / 2) - stats.norm.cdf(1 / 2)  # noise of variance 2 on either side
    found = [compare_auroc(*models(random, shift_b=2.0)).interval for _ in range(300)]
    covered = [low <= truth <= high for low, high in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


def test_the_interval_is_as_wide_as_resampled_images_scatter():
    random = np.random.default_rng(4)
    scores_a, scores_b, labels = models(random, count=300)
    resampled = []
    for _ in range(300):
        chosen = np.concatenate((random.integers(0, 150, 150), random.integers(150, 300, 150)))
        resampled.append(compare_auroc(scores_a[chosen], scores_b[chosen], labels).difference)
    low, high = compare_auroc(scores_a, scores_b, labels).interval
    assert high - low == pytest.approx(2 * 1.96 * np.std(resampled), rel=0.12)


def test_a_model_and_itself_do_not_differ():
    scores, _, labels = models(np.random.default_rng(5))
    found = compare_auroc(scores, scores, labels)
    assert (found.difference, found.interval, found.p_value) == (0.0, None, 1.0)
    assert found.interval_a == found.interval_b is not None


def test_two_perfect_models_do_not_differ_and_claim_no_certainty():
    labels = np.array([False, False, False, True, True])
    found = compare_auroc(np.array([0.0, 1, 2, 3, 4]), np.array([2.0, 1, 0, 5, 4]), labels)
    assert (found.a, found.b, found.difference, found.p_value) == (1, 1, 0, 1)
    assert found.interval_a is found.interval_b is found.interval is None


def test_a_perfect_model_and_one_without_an_opinion_are_not_called_certainly_different():
    labels = np.array([False, False, True, True])
    found = compare_auroc(np.zeros(4), np.array([0.0, 1, 2, 3]), labels)
    assert (found.difference, found.interval, found.p_value) == (0.5, None, None)


def test_one_defective_image_gives_a_difference_but_no_p():
    labels = np.array([False, False, False, True])
    found = compare_auroc(np.array([0.0, 1, 3, 2]), np.array([0.0, 1, 2, 3]), labels)
    assert found.difference == pytest.approx(1 / 3)
    assert found.interval is found.p_value is None


@pytest.mark.parametrize("label", [True, False])
def test_a_missing_class_is_refused(label):
    with pytest.raises(DataError, match="an AUROC needs both"):
        compare_auroc(np.zeros(3), np.zeros(3), np.full(3, label))


def test_scores_of_other_images_are_refused():
    with pytest.raises(DataError, match="one label for each score"):
        compare_auroc(np.zeros(3), np.zeros(2), np.array([True, False, False]))


def decisions(both, only_a, only_b, neither):
    counts = (both, only_a, only_b, neither)
    return np.repeat([True, True, False, False], counts), np.repeat(
        [True, False, True, False], counts
    )


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 32),  # 2 * C(5, 0) / 2 ** 5
        (6, 0, 2 / 64),
        (1, 7, 2 * (1 + 8) / 256),  # 2 * (C(8, 0) + C(8, 1)) / 2 ** 8
        (10, 2, 2 * (1 + 12 + 66) / 4096),
    ],
)
def test_mcnemar_worked_by_hand(only_a, only_b, p_value):
    found = compare_decisions(*decisions(4, only_a, only_b, 9))
    assert found.p_value == pytest.approx(p_value)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    assert (found.a, found.b, found.total) == (4 + only_a, 4 + only_b, 13 + only_a + only_b)


def test_images_decided_alike_do_not_change_mcnemars_p():
    few, many = (
        compare_decisions(*decisions(0, 2, 9, 0)),
        compare_decisions(*decisions(50, 2, 9, 80)),
    )
    assert few.p_value == many.p_value


def test_equally_good_models_are_seldom_told_apart_by_their_decisions():
    chances = stats.binom.pmf(np.arange(21), 20, 0.5)
    told_apart = [compare_decisions(*decisions(0, k, 20 - k, 0)).p_value < 0.05 for k in range(21)]
    assert 0.01 < chances[told_apart].sum() <= 0.05
