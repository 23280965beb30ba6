import numpy as np
import pytest
from scipy import ndimage

from rcae.training.painting import plain_patches
from rcae.training.painting.plain_patches import (
    LARGEST_PX,
    LEAST_CHANGE,
    SMALLEST_PX,
    paint_plain_patches,
    plain_share,
)
from rcae.training.painting.pseudo_anomalies import COVERED, VISIBLE_CHANGE


def good_image(size_px=(128, 128)):
    random = np.random.default_rng(0)
    return random.uniform(0.2, 0.7, (*size_px, 3)).astype(np.float32)


def flat_image(level=0.5, side_px=128):
    return np.full((side_px, side_px, 3), level, dtype=np.float32)


def paint(seed, image):
    return paint_plain_patches(image, np.random.default_rng(seed))


@pytest.fixture
def one_patch(monkeypatch):
    monkeypatch.setattr(plain_patches, "MOST_PATCHES", 1)


@pytest.fixture
def one_square(monkeypatch, one_patch):
    monkeypatch.setattr(plain_patches, "area", lambda *_: np.ones((20, 30), dtype=np.float32))


@pytest.mark.usefixtures("one_square")
@pytest.mark.parametrize("level", [0.0, 0.3, 0.5, 1.0])
def test_an_opaque_patch_has_one_colour_unlike_what_was_there_and_is_its_own_mask(level):
    for seed in range(60):
        image = flat_image(level)
        painted, mask = paint(seed, image)
        assert np.array_equal(mask, (painted != image).any(axis=2))
        (rows, columns), *others = ndimage.find_objects(ndimage.label(mask)[0])
        assert mask[rows, columns].all()
        assert (rows.stop - rows.start <= 20, columns.stop - columns.start <= 30) == (True, True)
        assert not others
        colours = np.unique(painted[mask], axis=0)
        assert np.ptp(colours, axis=0).max() < 1e-6
        assert np.abs(colours[0] - level).max() >= LEAST_CHANGE - 1e-6


@pytest.mark.usefixtures("one_square")
@pytest.mark.parametrize("blue", [1.0, 0.9])
def test_a_patch_is_unlike_the_mean_below_it_in_one_channel_or_more(blue):
    image = np.zeros((128, 128, 3), dtype=np.float32)
    image += np.linspace(0, 1, 128, dtype=np.float32)[:, None] * np.float32([1.0, 1.0, blue])
    changes = []
    for seed in range(60):
        painted, mask = paint(seed, image)
        changes.append(np.abs(painted[mask].mean(axis=0) - image[mask].mean(axis=0)))
    assert np.max(changes, axis=1).min() >= LEAST_CHANGE - 1e-2
    assert (np.min(changes, axis=1).min() < LEAST_CHANGE / 2) == (blue < 1)


def test_what_cannot_be_seen_is_not_in_the_mask(monkeypatch):
    monkeypatch.setattr(plain_patches, "_strong_colour", lambda part, _: part[0, 0])
    assert not paint(0, flat_image())[1].any()


@pytest.mark.usefixtures("one_patch")
@pytest.mark.parametrize("seed", range(40))
def test_what_changes_visibly_is_in_the_mask_or_is_its_soft_edge(seed):
    image = flat_image()
    painted, mask = paint(seed, image)
    change = np.abs(painted - image).max(axis=2)
    assert mask.any()
    assert change[~mask].max() <= COVERED + 1e-6
    near = ndimage.binary_dilation(mask, iterations=9)
    assert change[~near].max(initial=0) <= VISIBLE_CHANGE
    assert ndimage.maximum_filter(change, size=5)[mask].min() > VISIBLE_CHANGE


def test_a_grey_image_stays_grey_and_a_coloured_one_gets_a_coloured_patch():
    grey = np.repeat(good_image()[..., :1], 3, axis=2)
    for seed in range(40):
        painted, mask = paint(seed, grey)
        assert np.ptp(painted, axis=2).max() == 0
        assert mask.any()
        coloured, mask = paint(seed, good_image())
        assert np.ptp(coloured[mask].mean(axis=0)) > 0.01


@pytest.mark.parametrize("seed", range(20))
def test_a_painted_image_stays_an_image_and_the_good_one_is_untouched(seed):
    image = good_image()
    before = image.copy()
    painted, mask = paint(seed, image)
    assert painted.dtype == np.float32
    assert painted.shape == image.shape
    assert (painted.min() >= 0, painted.max() <= 1) == (True, True)
    assert mask.dtype == np.bool_
    assert np.array_equal(image, before)


@pytest.mark.parametrize("seed", range(10))
def test_the_same_random_state_paints_the_same(seed):
    first, second = paint(seed, good_image()), paint(seed, good_image())
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], paint(seed + 1, good_image())[0])


def test_patches_are_as_dense_in_windows_of_every_size(monkeypatch):
    extents_px, counts = [], []

    def nothing(extent_px, _):
        extents_px.append(extent_px)
        return np.zeros((1, 1), dtype=np.float32)

    monkeypatch.setattr(plain_patches, "area", nothing)
    random = np.random.default_rng(0)
    for side_px in (64, 256, 512):
        before = len(extents_px)
        for _ in range(50):
            paint_plain_patches(flat_image(side_px=side_px), random)
        counts.append((len(extents_px) - before) / 50)
    assert counts == pytest.approx([1.5, 1.5, 4 * 1.5], rel=0.15)
    assert SMALLEST_PX <= min(extents_px) < max(extents_px) <= LARGEST_PX


@pytest.mark.parametrize("size_px", [(8, 8), (1, 40), (100, 16), (1, 1)])
def test_windows_of_any_size_can_be_painted(size_px):
    for seed in range(40):
        painted, mask = paint(seed, good_image(size_px))
        assert painted.shape == (*size_px, 3)
        assert mask.shape == size_px


def test_the_share_of_plain_windows_falls_evenly_from_all_to_a_fifth():
    shares = [plain_share(progress) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert shares == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
