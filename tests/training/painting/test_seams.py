import numpy as np
import pytest
from scipy import ndimage

from rcae.training.painting.pseudo_anomalies import VISIBLE_CHANGE
from rcae.training.painting.seams import WITHIN_PX, paint_seam


def good_image(size_px=(96, 120)):
    random = np.random.default_rng(0)
    return random.uniform(0.2, 0.7, (*size_px, 3)).astype(np.float32)


def paint(seed, image):
    return paint_seam(image, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(40))
def test_the_surface_before_a_seam_stays_and_only_a_band_along_it_is_anomalous(seed):
    image = good_image()
    painted, mask = paint(seed, image)
    changed = (painted != image).any(axis=2)
    assert 0.02 < changed.mean() < 0.98
    assert mask.any()
    # The edge is soft over 3 px at most, and no bend doubles the way. Beyond the image nothing is.
    from_untouched_px = ndimage.distance_transform_edt(np.pad(changed, 1))[1:-1, 1:-1]
    assert from_untouched_px[mask].max() < WITHIN_PX[1] + 3 + 2
    from_changed_px = ndimage.distance_transform_edt(~changed)
    assert from_changed_px[mask].max(initial=0) < -WITHIN_PX[0] + 3


def test_what_cannot_be_seen_is_not_anomalous():
    flat = np.full((64, 64, 3), 0.5, dtype=np.float32)
    masks = []
    for seed in range(40):
        painted, mask = paint(seed, flat)
        change = ndimage.maximum_filter(np.abs(painted - flat).max(axis=2), size=5)
        assert not mask[change <= VISIBLE_CHANGE].any()
        masks.append(mask.any())
    assert 0 < sum(masks) < 40  # a flat surface has no grain to change


@pytest.mark.parametrize("size_px", [(16, 16), (17, 40), (256, 256)])
def test_a_painted_image_is_an_image_again_and_the_good_one_is_left_as_it_is(size_px):
    image = good_image(size_px)
    before = image.copy()
    for seed in range(10):
        painted, mask = paint(seed, image)
        assert painted.dtype == np.float32
        assert painted.shape == image.shape
        assert mask.shape == image.shape[:2]
        assert painted.min() >= 0
        assert painted.max() <= 1
    assert np.array_equal(image, before)


def test_the_same_state_draws_the_same_seam_and_another_one_another():
    image = good_image()
    first, again, other = (paint(seed, image)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_beyond_a_seam_the_light_the_grain_or_both_are_other():
    image = good_image((128, 128))
    lights, grains = [], []
    for seed in range(60):
        painted, _ = paint(seed, image)
        # Deep beyond the seam, where the surface has wholly changed.
        deep = ndimage.distance_transform_edt((painted != image).any(axis=2)) > 12
        if deep.sum() < 500:
            continue
        lights.append(abs(painted[deep].mean() / image[deep].mean() - 1) > 0.04)
        grains.append(abs(np.log(painted[deep].std() / image[deep].std())) > 0.4)
    kinds = {
        kind: list(zip(lights, grains, strict=True)).count(kind)
        for kind in ((True, False), (False, True), (True, True), (False, False))
    }
    assert kinds[False, False] == 0
    assert min(kinds[True, False], kinds[False, True], kinds[True, True]) >= 3
