import numpy as np
import pytest
from scipy import ndimage

from rcae.data import pseudo_anomalies
from rcae.data.pseudo_anomalies import COVERED, VISIBLE_CHANGE, paint_anomalies


def good_image(seed=0, side_px=64):
    random = np.random.default_rng(seed)
    return ndimage.gaussian_filter(random.random((side_px, side_px, 3)), (2, 2, 0)).astype(
        np.float32
    )


def paint(seed, image=None, donor=None):
    image = good_image() if image is None else image
    donor = good_image(1, len(image)) if donor is None else donor
    return paint_anomalies(image, donor, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(40))
def test_what_changes_visibly_is_in_the_mask_or_is_its_soft_edge(seed):
    image = good_image()
    painted, mask = paint(seed, image)
    change = np.abs(painted - image).max(axis=2)
    assert change[~mask].max() <= max(VISIBLE_CHANGE, COVERED) + 1e-6
    near = ndimage.binary_dilation(mask, iterations=9)
    assert change[~near].max(initial=0) <= VISIBLE_CHANGE


def test_what_cannot_be_seen_is_not_in_the_mask():
    flat = np.full((64, 64, 3), 0.5, dtype=np.float32)
    masks = []
    for seed in range(60):
        painted, mask = paint(seed, flat, flat)
        change = ndimage.maximum_filter(np.abs(painted - flat).max(axis=2), size=5)
        assert not mask[change <= VISIBLE_CHANGE].any()
        masks.append(mask.any())
    assert not all(masks)  # copying from the same flat image changes nothing


def test_a_grey_image_stays_grey():
    grey = np.repeat(good_image()[..., :1], 3, axis=2)
    for seed in range(60):
        assert np.ptp(paint(seed, grey, grey[::-1])[0], axis=2).max() < 1e-6


@pytest.mark.parametrize("seed", range(40))
def test_a_painted_image_stays_an_image_and_the_good_one_is_untouched(seed):
    image = good_image()
    before = image.copy()
    painted, mask = paint(seed, image)
    assert painted.dtype == np.float32
    assert painted.shape == image.shape
    assert painted.min() >= 0
    assert painted.max() <= 1
    assert mask.dtype == np.bool_
    assert np.array_equal(image, before)


def test_the_same_random_state_paints_the_same():
    first, second = paint(5), paint(5)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], paint(6)[0])


def test_sizes_range_from_a_few_pixels_to_a_large_part_of_the_window():
    shares = np.array([paint(seed)[1].mean() for seed in range(300)])
    assert (shares > 0).mean() > 0.9
    assert np.mean(shares < 0.01) > 0.1
    assert np.mean(shares > 0.05) > 0.1
    assert shares.max() < 0.8


@pytest.mark.parametrize("shape", ["_patch", "_blob", "_line"])
@pytest.mark.parametrize("size_px", [(64, 64), (16, 100), (1, 1)])
def test_every_shape_is_an_opacity_with_a_peak_of_one_or_empty(shape, size_px):
    for seed in range(30):
        opacity = getattr(pseudo_anomalies, shape)(size_px, np.random.default_rng(seed))
        assert opacity.shape == size_px
        assert opacity.min() >= 0
        assert opacity.max() in (0, pytest.approx(1))


def test_lines_are_thin():
    widths = []
    for seed in range(50):
        drawn = pseudo_anomalies._line((64, 64), np.random.default_rng(seed)) > 0.5
        widths.append(2 * ndimage.distance_transform_edt(np.pad(drawn, 1)).max())
    assert np.median(widths) <= 4


def test_copied_texture_comes_from_the_donor():
    donor = good_image(3)
    moved = pseudo_anomalies._moved(donor, np.random.default_rng(0))
    assert np.array_equal(np.sort(moved.ravel()), np.sort(donor.ravel()))
    assert not np.array_equal(moved, donor)
