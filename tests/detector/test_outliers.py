import numpy as np
import pytest

from rcae.detector.calibration import calibrate, conformal_threshold
from rcae.detector.calibration_images import CalibrationImage
from rcae.detector.outliers import outliers_among


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
