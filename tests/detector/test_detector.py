import numpy as np
import pytest
from PIL import Image

from rcae import Detector
from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.data.images import read_image
from rcae.detector.detection import _regions


@pytest.fixture(scope="module")
def detector(finished_run):
    return Detector.load(finished_run)


def test_a_path_and_its_pixels_give_the_same_detection(detector, parts):
    path = parts / "test" / "scratch" / "000.png"
    from_path = detector.predict(path)
    from_text = detector.predict(str(path))
    from_pixels = detector.predict(np.asarray(Image.open(path)))
    assert np.array_equal(from_path.anomaly_map, from_pixels.anomaly_map)
    assert from_path.anomaly_score == from_text.anomaly_score == from_pixels.anomaly_score


@pytest.mark.parametrize("size", [(40, 40), (16, 16), (100, 17), (33, 64)])
def test_the_map_has_the_size_of_the_image(finished_run, size):
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    detection = Detector.load(finished_run, size_limit=9).predict(pixels)
    assert detection.anomaly_map.shape == size
    assert detection.anomaly_map.dtype == np.float32


def test_a_name_that_no_file_can_have_is_named():
    with pytest.raises((StorageError, UsageError), match="^" + "x" * 300):
        Detector.load("x" * 300)


def test_the_score_is_the_maps_maximum_and_regions_exist_exactly_when_defective(detector, parts):
    seen = set()
    for path in sorted(parts.glob("t*/*/*.png")):
        detection = detector.predict(path)
        assert detection.anomaly_score == detection.anomaly_map.max()
        assert bool(detection.regions) is detection.is_defective
        if detection.regions:
            assert detection.regions[0].peak == detection.anomaly_score
        seen.add(detection.is_defective)
    assert False in seen


def test_regions_equal_a_case_worked_by_hand():
    anomaly_map = np.array(
        [
            [9, 0, 0, 0, 0],
            [0, 5, 0, 0, 2],
            [0, 0, 0, 0, 3],
        ],
        dtype=np.float32,
    )
    first, second = _regions(anomaly_map, 2.0)
    assert (first.left_px, first.top_px, first.width_px, first.height_px) == (0, 0, 2, 2)
    assert (first.area_px, first.peak, first.peak_x_px, first.peak_y_px) == (2, 9.0, 0, 0)
    assert (second.left_px, second.top_px, second.width_px, second.height_px) == (4, 1, 1, 2)
    assert (second.area_px, second.peak, second.peak_x_px, second.peak_y_px) == (2, 3.0, 4, 2)


def test_a_pixel_that_equals_the_threshold_only_once_it_is_rounded_is_no_region():
    anomaly_map = np.full((3, 3), 1.4, np.float32)
    assert float(anomaly_map.max()) < 1.4  # so the image is not defective
    assert _regions(anomaly_map, 1.4) == ()
    assert len(_regions(anomaly_map, float(np.float32(1.4)))) == 1


def test_a_region_does_not_count_pixels_of_another_inside_its_box():
    anomaly_map = np.zeros((5, 5), dtype=np.float32)
    anomaly_map[0, :] = anomaly_map[:, 0] = 1  # a corner-shaped region
    anomaly_map[3, 3] = 7  # another one inside its box
    strong, corner = _regions(anomaly_map, 1.0)
    assert (strong.area_px, corner.area_px, corner.peak) == (1, 9, 1.0)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 40, 2), dtype=np.uint8),
        np.zeros((40,), dtype=np.uint8),
        np.zeros((8, 8), dtype=np.uint8),
        np.zeros((40, 40), dtype=np.int64),
        np.full((40, 40), 2.0),
        np.full((40, 40), np.nan),
    ],
)
def test_an_array_outside_the_rules_is_refused(detector, pixels):
    with pytest.raises(ImageError):
        detector.predict(pixels)


@pytest.mark.parametrize(
    "image",
    [None, [[0.5] * 40] * 40, {0.5}],
    ids=lambda image: type(image).__name__,
)
def test_what_is_no_image_of_any_kind_is_refused(detector, image):
    with pytest.raises(ImageError, match=rf"is a {type(image).__name__}; give a path"):
        detector.predict(image)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "mps:99"])
def test_a_device_that_is_not_there_is_named(finished_run, device):
    with pytest.raises(
        UsageError, match=rf"device '{device}' \(.*; give one that this machine has"
    ):
        Detector.load(finished_run, device=device)


def test_grey_and_rgb_of_the_same_values_are_the_same(detector):
    grey = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    assert detector.predict(grey).anomaly_score == detector.predict(rgb).anomaly_score
    as_float = rgb.astype(np.float32) / 255
    assert detector.predict(as_float).anomaly_score == pytest.approx(
        detector.predict(rgb).anomaly_score, abs=1e-6
    )


def test_a_darker_picture_of_the_same_part_is_judged_alike(detector, parts):
    image = read_image(parts / "test/scratch/000.png")
    darker, seen = detector.predict(image * np.float32(0.7)), detector.predict(image)
    np.testing.assert_allclose(darker.anomaly_map, seen.anomaly_map, atol=1e-4)


def test_an_explanation_shows_every_step_at_working_size(detector, parts):
    seen = detector.explain(parts / "test" / "good" / "000.png")
    height, width = detector.header.working_view.size_of(40, 40)
    assert seen.image.shape == (height, width, 3)
    assert list(seen.reconstructions) == [1, 2]
    for drawn in (*seen.reconstructions.values(), seen.restored):
        assert drawn.shape == (height, width, 3)
    detection = detector.predict(parts / "test" / "good" / "000.png")
    np.testing.assert_allclose(seen.anomaly_map, detection.working_map, atol=1e-6)
