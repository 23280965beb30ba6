import numpy as np
import pytest

from rcae.base.errors import DataError
from rcae.evaluation.metrics.rates import detection_rates

SCORES = np.array([0.2, 0.5, 0.5, 0.9, -1.0])
IS_DEFECTIVE = np.array([False, False, True, True, True])


@pytest.mark.parametrize(
    ("threshold", "true_positive_rate", "false_alarm_rate"),
    [(-np.inf, 1, 1), (0.2, 2 / 3, 1), (0.5, 2 / 3, 0.5), (0.6, 1 / 3, 0), (np.inf, 0, 0)],
)
def test_a_score_at_the_threshold_is_rejected(threshold, true_positive_rate, false_alarm_rate):
    rates = detection_rates(SCORES, IS_DEFECTIVE, threshold)
    assert rates == pytest.approx((true_positive_rate, false_alarm_rate))


def test_a_rate_without_anything_to_count_is_none():
    assert detection_rates(SCORES, np.zeros(5, np.bool_), 0.5) == (None, pytest.approx(3 / 5))
    assert detection_rates(SCORES, np.ones(5, np.bool_), 0.5) == (pytest.approx(3 / 5), None)


def test_the_threshold_is_not_rounded_to_the_precision_of_the_scores():
    score = np.array([0.1], np.float32)
    just_above = float(score[0]) + 1e-10
    assert np.float32(just_above) == score[0]
    assert detection_rates(score, np.array([True]), just_above).true_positive_rate == 0.0
    assert detection_rates(score, np.array([True]), float(score[0])).true_positive_rate == 1.0


def test_a_threshold_that_is_not_a_number_is_refused():
    with pytest.raises(DataError, match="threshold is NaN"):
        detection_rates(SCORES, IS_DEFECTIVE, float("nan"))


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(DataError, match="1 of 2 values are NaN"):
        detection_rates(np.array([0.1, np.nan]), np.array([True, False]), 0.5)
