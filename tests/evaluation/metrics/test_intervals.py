import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from rcae.base.errors import DataError
from rcae.evaluation.metrics.intervals import Placements, auroc_interval, proportion_interval

FEW_VALUES = st.sampled_from([-1e6, -2.5, 0.0, 0.25, 0.5, 1.0, 3.0, 4e8])
SCORED = st.lists(st.tuples(FEW_VALUES, st.booleans()), min_size=4)
fixed = settings(derandomize=True, deadline=None, max_examples=100)


def pairs(scores, labels):
    """psi [positives, negatives] of DeLong et al.: 1 for a win, 0.5 for a tie."""
    positives, negatives = scores[labels][:, None], scores[~labels]
    return (positives > negatives) + 0.5 * (positives == negatives)


def variance_over_pairs(psi):
    """DeLong's variance from all pairs, as the paper writes it."""
    positives, negatives = psi.shape
    return psi.mean(axis=1).var(ddof=1) / positives + psi.mean(axis=0).var(ddof=1) / negatives


@fixed
@given(SCORED)
def test_auroc_and_variance_are_those_of_a_comparison_of_all_pairs(scored):
    scores = np.array([score for score, _ in scored])
    labels = np.array([label for _, label in scored])
    assume(min(labels.sum(), (~labels).sum()) >= 2)
    placements, psi = Placements.of(scores, labels), pairs(scores, labels)
    assert placements.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert placements.positives == pytest.approx(psi.sum(axis=1))
    assert placements.negatives == pytest.approx(psi.sum(axis=0))
    expected = variance_over_pairs(psi)
    assert (placements.variance or 0) == pytest.approx(expected, abs=1e-12)


def test_four_images_are_worked_by_hand():
    # Positives 1 and 3, negatives 0 and 2: of the pairs only (1, 2) is lost.
    scores = np.array([1.0, 3.0, 0.0, 2.0])
    placements = Placements.of(scores, np.array([True, True, False, False]))
    assert placements.positives.tolist() == [1, 2]
    assert placements.negatives.tolist() == [2, 1]
    assert placements.auroc == 0.75
    # Shares 0.5 and 1 of either class: variance 0.125 / 2 + 0.125 / 2.
    assert placements.variance == pytest.approx(0.125)
    assert placements.interval(lowest=0) == (
        pytest.approx(0.75 - 1.959964 * np.sqrt(0.125), abs=1e-6),
        1.0,
    )


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0, 1, 2, 3], [0, 0, 1, 1]),  # perfect
        ([3, 2, 1, 0], [0, 0, 1, 1]),  # all wrong
        ([1, 1, 1, 1], [0, 0, 1, 1]),  # all tied
        ([0, 2, 1], [0, 0, 1]),  # one defective image
        ([0, 2, 1], [0, 1, 1]),  # one good image
        ([0, 1], [1, 1]),  # no good image
        ([0, 1], [0, 0]),  # no defective image
    ],
)
def test_what_cannot_tell_how_sure_it_is_has_no_interval(scores, labels):
    assert auroc_interval(np.array(scores, np.float32), np.array(labels, bool)) is None


def test_a_perfect_separation_of_many_images_leaves_no_variance_from_rounding():
    scores = np.linspace(0, 1, 997)
    assert auroc_interval(scores, scores > 0.7) is None


def test_scores_that_cannot_be_ranked_are_refused():
    with pytest.raises(DataError, match="1 of 3 values are NaN"):
        auroc_interval(np.array([0.0, np.nan, 1.0]), np.array([True, False, True]))


def test_the_interval_covers_the_true_auroc_about_as_often_as_it_says():
    random = np.random.default_rng(2)
    truth = stats.norm.cdf(1 / np.sqrt(2))  # of N(1, 1) against N(0, 1)
    labels = np.arange(200) < 100
    covered = []
    for _ in range(1000):
        low, high = auroc_interval(random.normal(size=200) + labels, labels)
        covered.append(low <= truth <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_the_interval_is_as_wide_as_resampled_images_scatter():
    random = np.random.default_rng(3)
    labels = np.arange(300) < 120
    scores = np.round(random.normal(size=300) + labels, 1)
    resampled = []
    for _ in range(400):
        chosen = np.concatenate((random.integers(0, 120, 120), random.integers(120, 300, 180)))
        resampled.append(Placements.of(scores[chosen], labels).auroc)
    expected = np.std(resampled)
    assert np.sqrt(Placements.of(scores, labels).variance) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # The textbook cases: none of n ends at 1 - 0.025 ** (1 / n).
        (0, 10, 0.0, 1 - 0.025**0.1),
        (10, 10, 0.025**0.1, 1.0),
        (0, 1, 0.0, 0.975),
        (1, 2, 1 - np.sqrt(0.975), np.sqrt(0.975)),
    ],
)
def test_intervals_of_a_proportion_worked_by_hand(count, total, low, high):
    assert proportion_interval(count, total) == pytest.approx((low, high))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_the_interval_of_a_proportion_covers_at_least_as_often_as_it_says(share):
    total = 40
    counts = np.arange(total + 1)
    chances = stats.binom.pmf(counts, total, share)
    intervals = [proportion_interval(int(count), total) for count in counts]
    covered = np.array([low <= share <= high for low, high in intervals])
    assert chances[covered].sum() >= 0.95


def test_a_proportion_of_nothing_has_no_interval():
    assert proportion_interval(0, 0) is None


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3), (1, 0)])
def test_a_count_that_is_no_part_of_its_total_is_refused(count, total):
    with pytest.raises(ValueError, match="must"):
        proportion_interval(count, total)
