import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

import rcae
from rcae.api.anomaly_detector import AnomalyDetector
from tests.conftest import TINY, draw_part

GENERIC_CHECKS = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)
"""Checks of scikit-learn that need no table of numbers to fit on."""


@pytest.mark.parametrize("check", GENERIC_CHECKS)
def test_scikit_learn_takes_it_for_an_estimator(check):
    getattr(estimator_checks, check)("AnomalyDetector", AnomalyDetector())


@pytest.fixture(scope="module")
def images():
    """16 good images as arrays, and the same with a white scratch."""
    random = np.random.default_rng(0)
    good = [draw_part(random) for _ in range(16)]
    scratched = [image.copy() for image in good]
    for image in scratched:
        image[10:14, 8:30] = 255
    return good, scratched


@pytest.fixture(scope="module")
def fitted(images):
    return AnomalyDetector(set=TINY, quiet=True).fit(images[0])


def test_signs_are_those_of_scikit_learn_and_agree_with_the_detector(fitted, images):
    batch = np.stack([*images[0], *images[1]])
    before = batch.copy()
    scores, decision = fitted.score_samples(batch), fitted.decision_function(batch)
    labels = fitted.predict(batch)
    assert scores.shape == decision.shape == labels.shape == (32,)
    assert scores.dtype == decision.dtype == np.float64
    assert labels.dtype.kind == "i"
    np.testing.assert_allclose(decision, scores - fitted.offset_)
    np.testing.assert_array_equal(labels, np.where(decision >= 0, 1, -1))
    answers = [fitted.detector_.predict(image) for image in batch]
    assert [-one.anomaly_score for one in answers] == list(scores)
    assert [one.is_defective for one in answers] == list(labels == -1)
    assert scores[:16].mean() > scores[16:].mean()  # higher is more normal here
    np.testing.assert_array_equal(batch, before)


def test_a_score_at_the_threshold_is_an_outlier(fitted, images, monkeypatch):
    threshold = fitted.detector_.calibration.threshold
    monkeypatch.setattr(
        AnomalyDetector,
        "score_samples",
        lambda self, _: -np.array([threshold, np.nextafter(threshold, 0)]),
    )
    assert fitted.predict(images[0][:2]).tolist() == [-1, 1]


def test_files_and_folders_are_taken_too(fitted, images, tmp_path):
    for number, image in enumerate(images[0]):
        Image.fromarray(image).save(tmp_path / f"{number:02d}.png")
    files = sorted(tmp_path.iterdir())
    again = clone(fitted)
    assert again.fit(files) is again
    assert again.get_params() == fitted.get_params()
    assert list(fitted.predict(tmp_path)) == list(fitted.predict(images[0]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_of_every_type_are_trained_on_unchanged(images, tmp_path, dtype, channels):
    from rcae.api.anomaly_detector import _listed
    from rcae.data.images import as_pixels, read_image, scaled

    image = np.dstack([images[0][0], np.full((40, 40), 200, np.uint8)])[..., :channels]
    image[0, 0] = 255
    image = (image[..., 0] if channels == 1 else image).astype(dtype)
    image = (image * {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)).astype(dtype)
    table = _listed([image], tmp_path)
    place = table.read_text().splitlines()[1].split(",")[0]
    expected, _ = scaled(as_pixels(image, "array"), "array")
    np.testing.assert_allclose(read_image(tmp_path / place), expected, atol=2e-5)


def test_nothing_is_predicted_before_fitting(images):
    with pytest.raises(NotFittedError):
        AnomalyDetector().predict(images[0])
    with pytest.raises(rcae.RcaeError, match="not fitted yet"):
        AnomalyDetector().score_samples(images[0])


def test_an_image_that_cannot_be_inspected_ends_the_prediction(fitted, images):
    with pytest.raises(rcae.RcaeError, match="at least 16 px"):
        fitted.predict([images[0][0], images[0][0][:8]])
