import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from rcae.base.errors import TrainingError, UsageError
from rcae.detector.calibration import Calibration, calibrate, conformal_threshold, images_needed
from rcae.detector.calibration_images import score_good_images
from rcae.evaluation.verify import TOLERANCES


def test_nineteen_images_support_five_percent_with_their_highest_score():
    scores = [float(np.float32(score)) for score in np.linspace(0.1, 0.9, 19)]
    threshold = conformal_threshold(scores, 0.05, typical_value=-0.1)
    assert threshold == pytest.approx(0.901, abs=1e-6)  # 0.9, and a thousandth of the way from -0.1
    assert threshold == np.float32(threshold)


@given(st.floats(-100, 100, width=32), st.floats(-100, 100))
def test_images_that_set_the_threshold_stay_good_where_a_runtime_rounds_otherwise(score, usual):
    threshold = conformal_threshold([score] * 19, 0.05, typical_value=usual)
    assert threshold > score
    way = max(0.0, threshold - usual)  # the unit of the differences that `rcae verify` allows
    assert threshold >= score + 0.998 * TOLERANCES["fp32"] * way


def test_with_more_images_than_needed_the_threshold_lies_inside():
    scores = list(range(1, 100))  # 99 scores at 10 %: k = ceil(100 * 0.9) = 90
    assert 90 < conformal_threshold(scores, 0.10, typical_value=0.0) < 91


def test_too_few_images_for_a_rate_are_refused_with_the_number_needed():
    with pytest.raises(UsageError, match=r"18 calibration images.*5\.00%.*at least 19"):
        conformal_threshold([0.5] * 18, 0.05, typical_value=0.0)


def test_confidence_takes_the_known_numbers_of_images():
    # Wilks' tables of one-sided tolerance limits: 95 % confidence that 95 % (99 %) lie below the highest.
    assert images_needed(0.05, 0.95) == 59
    assert images_needed(0.01, 0.95) == 299
    assert images_needed(0.01, 0.99) == 459
    with pytest.raises(UsageError, match=r"58 .*5\.00% with 95\.0% confidence; at least 59"):
        conformal_threshold([0.5] * 58, 0.05, 0.95, typical_value=0.0)


@given(st.integers(1, 2000))
def test_the_number_needed_is_the_smallest_that_is_accepted(count):
    rate = 1 / (count + 1)
    assert images_needed(rate) == count
    conformal_threshold([0.0] * count, rate, typical_value=0.0)
    if count > 1:
        with pytest.raises(UsageError):
            conformal_threshold([0.0] * (count - 1), rate, typical_value=0.0)


@settings(max_examples=200)
@given(st.integers(1, 800), st.floats(0.005, 0.5), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_the_threshold_with_confidence_is_the_lowest_order_statistic_that_keeps_it(
    count, rate, confidence
):
    # The share of good images below the k-th of n scores is Beta(k, n - k + 1): another way to the rank.
    ranks = np.arange(1, count + 1)
    kept = beta.sf(1 - rate, ranks, count - ranks + 1)
    if count < images_needed(rate, confidence):
        assert kept[-1] < confidence
        return
    scores = np.arange(1, count + 1, dtype=np.float32)
    rank = int(conformal_threshold(scores, rate, confidence, typical_value=0.0))
    assert kept[rank - 1] >= confidence - 1e-9
    assert rank == 1 or kept[rank - 2] < confidence + 1e-9


def test_calibration_falls_back_to_the_rate_the_images_support_and_says_so():
    calibration = calibrate([0.3, 0.1, 0.2], typical_value=0.0, false_alarm_rate=0.05)
    assert calibration.false_alarm_rate == pytest.approx(0.25)
    assert calibration.scores == (0.1, 0.2, 0.3)
    assert "25.0%" in calibration.promise
    assert "3 calibration images" in calibration.promise


@pytest.mark.parametrize(
    ("count", "rate"), [(8, 0.05), (19, 0.05), (32, 0.05), (99, 0.01), (150, 0.1)]
)
def test_good_images_reach_the_threshold_no_more_often_than_promised(count, rate):
    # Exchangeable scores of any distribution; the mean over 4000 draws has a standard error < 0.002.
    random = np.random.default_rng(1)
    alarms = []
    promised = None
    for _ in range(4000):
        scores = random.gamma(2.0, size=count + 1).astype(np.float32)
        calibration = calibrate(scores[:-1].tolist(), 0.0, rate)
        promised = calibration.false_alarm_rate
        alarms.append(scores[-1] >= calibration.threshold)
        of_those_so_unusual = calibration.p_value(float(scores[-1])) <= promised + 1e-9
        just_above = calibration.threshold / (1 + 2e-3) < scores[-1] < calibration.threshold
        assert alarms[-1] == of_those_so_unusual or just_above
    assert np.mean(alarms) <= promised + 0.006
    assert np.mean(alarms) >= promised - 1 / (count + 1) - 0.006  # and not needlessly seldom


@pytest.mark.parametrize(("count", "rate"), [(59, 0.05), (120, 0.05), (300, 0.01), (150, 0.1)])
def test_with_confidence_so_many_calibration_sets_keep_the_rate(count, rate):
    # Scores uniform in 0..1: the true false-alarm rate of a threshold is 1 - threshold.
    random = np.random.default_rng(2)
    kept = [
        1 - conformal_threshold(draw, rate, 0.95, typical_value=0.0) <= rate
        for draw in random.random((4000, count), dtype=np.float32)
    ]
    assert np.mean(kept) >= 0.95 - 0.011  # three standard errors


def test_a_p_value_is_the_rank_among_the_calibration_images_and_the_image_itself():
    calibration = calibrate([1.0, 2.0, 2.0, 3.0], 0.0, 0.5)
    assert [calibration.p_value(score) for score in (0.5, 1.0, 2.0, 2.5, 3.0, 9.0)] == [
        1.0,
        1.0,
        0.8,
        0.4,
        0.4,
        0.2,
    ]


def test_equal_scores_raise_no_alarm():
    calibration = calibrate([0.5] * 20, 0.0, 0.05)
    assert calibration.threshold > 0.5
    assert calibration.p_value(0.5) == 1.0


def test_a_promise_with_confidence_says_so():
    calibration = Calibration(
        scores=(1.0,), typical_value=0, false_alarm_rate=0.01, threshold=2, confidence=0.95
    )
    assert calibration.promise.startswith("With 95.0% confidence, at most 1.0% of good images")


def test_a_model_whose_scores_are_no_numbers_is_not_calibrated(parts):
    path = parts / "test" / "good" / "000.png"
    with pytest.raises(TrainingError, match=r"000\.png scores nan"):
        score_good_images({"0": path}, lambda images: [images[0][..., 0] * np.float32("nan")], None)
