import numpy as np
import pytest

from rcae.detector.calibration import calibrate, conformal_threshold
from rcae.detector.calibration_images import CalibrationImage
from rcae.detector.outliers import odd_training_images, outliers_among


def images_of(*scores):
    return [
        CalibrationImage(f"/day/{place}.png", f"{place:064d}", float(np.float32(score)), 0.0)
        for place, score in enumerate(scores)
    ]


def calibrated(images, rate=0.05, cross_fitted=()):
    return calibrate([image.anomaly_score for image in images], -2.0, rate, cross_fitted)


def test_one_dark_frame_among_few_is_named_with_what_it_costs():
    images = images_of(-2.2, -1.9, -1.4, -2.0, 11.0, -1.8, -2.1, -1.6)
    calibration = calibrated(images)
    (outlier,) = outliers_among(images, calibration)
    assert outlier.image.path == "/day/4.png"
    assert outlier.threshold == calibration.threshold > 11.0
    # Seven images support one false alarm in eight: their highest score.
    rest = [image.anomaly_score for image in images if image is not outlier.image]
    assert outlier.threshold_without == conformal_threshold(rest, 1 / 8, typical_value=-2.0)
    assert "without it the threshold would be -1.399 instead of 11.01" in outlier.advice
    assert "/day/4.png" in outlier.advice


def test_images_that_lie_close_together_have_no_outlier():
    images = images_of(*np.linspace(-2, -1, 20))
    assert outliers_among(images, calibrated(images)) == ()


def test_an_outlier_that_sets_nothing_is_named_without_a_cost():
    images = images_of(*np.linspace(-2, -1, 60), 9.0)
    (outlier,) = outliers_among(images, calibrated(images, rate=0.1))
    assert "the threshold does not depend on it" not in outlier.advice or (
        outlier.threshold_without >= outlier.threshold
    )
    assert outlier.threshold < 0


def test_the_highest_of_several_comes_first():
    images = images_of(*np.linspace(-2, -1, 30), 8.0, 9.0)
    assert [one.image.anomaly_score for one in outliers_among(images, calibrated(images))] == [9, 8]


def test_training_images_judged_as_new_help_to_tell_what_is_far():
    images = images_of(-1.0, -1.1, 1.5)
    assert outliers_among(images, calibrated(images)) == ()  # three scores tell nothing
    calibration = calibrated(images, cross_fitted=list(np.linspace(-1.5, -0.5, 40)))
    assert [one.image.path for one in outliers_among(images, calibration)] == ["/day/2.png"]


@pytest.mark.parametrize("count", [1, 4])
def test_too_few_images_have_no_outlier(count):
    images = images_of(*[0.0] * (count - 1), 100.0)
    assert outliers_among(images, calibrated(images)) == ()


def test_one_odd_training_image_is_named_and_does_not_set_the_threshold():
    """Twelve training images, one of a kind of its own, as among twenty solar cells."""
    held_out = images_of(-2.6, 20.5, -0.2, -1.3, -2.5, -3.0, -2.8, -2.6)
    trained_on = images_of(-3.7, -2.9, -2.5, -0.5, 0.3, 1.9, 2.1, 2.2, 2.2, 5.5, -3.0, 109.0)
    cross_fitted = [image.anomaly_score for image in trained_on]
    calibration = calibrated(held_out, cross_fitted=cross_fitted)
    assert max(calibration.cross_fitted_scores) == 20.5  # the highest held-out score
    assert 20.5 < calibration.threshold < 20.6
    (advice,) = odd_training_images(trained_on, calibration)
    assert "11.png scores 109 by what the others taught, and counts as 20.5." in advice
    (outlier,) = outliers_among(held_out, calibration)
    assert "without it the threshold would be " in outlier.advice  # it is the cap of the other, too
    assert outlier.threshold_without < 17


def test_training_images_far_from_calm_held_out_ones_count_as_the_fence():
    held_out = images_of(*np.linspace(-1, 0, 9))
    cross_fitted = [*np.linspace(-1, 0, 10), 50.0]
    calibration = calibrated(held_out, cross_fitted=cross_fitted)
    everything = [*np.linspace(-1, 0, 9), *cross_fitted]
    lower, upper = np.quantile(everything, (0.25, 0.75))
    assert max(calibration.cross_fitted_scores) == pytest.approx(upper + 3 * (upper - lower))


def test_a_high_held_out_score_is_never_lowered():
    held_out = images_of(*np.linspace(-1, 0, 9), 50.0)
    calibration = calibrated(held_out, cross_fitted=list(np.linspace(-1, 0, 10)))
    assert max(calibration.scores) == 50.0
    assert odd_training_images([], calibration) == ()
