import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcae.calibration import calibrate, conformal_threshold, images_needed
from rcae.errors import UsageError


def test_nineteen_images_support_five_percent_with_their_highest_score():
    scores = [float(np.float32(score)) for score in np.linspace(0.1, 0.9, 19)]
    threshold = conformal_threshold(scores, 0.05)
    assert threshold > max(scores)
    assert threshold == np.nextafter(np.float32(max(scores)), np.float32(np.inf))


def test_with_more_images_than_needed_the_threshold_lies_inside():
    scores = list(range(1, 100))  # 99 scores at 10 %: k = ceil(100 * 0.9) = 90
    assert 90 < conformal_threshold(scores, 0.10) < 91


def test_too_few_images_for_a_rate_are_refused_with_the_number_needed():
    with pytest.raises(UsageError, match=r"18 calibration images.*5\.00%.*at least 19"):
        conformal_threshold([0.5] * 18, 0.05)


@given(st.integers(1, 2000))
def test_the_number_needed_is_the_smallest_that_is_accepted(count):
    rate = 1 / (count + 1)
    assert images_needed(rate) == count
    conformal_threshold([0.0] * count, rate)
    if count > 1:
        with pytest.raises(UsageError):
            conformal_threshold([0.0] * (count - 1), rate)


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
    assert np.mean(alarms) <= promised + 0.006
    assert np.mean(alarms) >= promised - 1 / (count + 1) - 0.006  # and not needlessly seldom


def test_equal_scores_raise_no_alarm():
    calibration = calibrate([0.5] * 20, 0.0, 0.05)
    assert calibration.threshold > 0.5
