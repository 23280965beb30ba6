from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from rcae.training.painting import anomaly_fills, anomaly_shapes, pseudo_anomalies
from rcae.training.painting.pseudo_anomalies import COVERED, VISIBLE_CHANGE, paint_anomalies


def good_image(seed=0, side_px=64):
    random = np.random.default_rng(seed)
    return ndimage.gaussian_filter(random.random((side_px, side_px, 3)), (2, 2, 0)).astype(
        np.float32
    )


def paint(seed, image=None, donor=None):
    image = good_image() if image is None else image
    donor = good_image(1, len(image)) if donor is None else donor
    return paint_anomalies(image, donor, np.random.default_rng(seed))


@pytest.fixture
def without_shadows(monkeypatch):
    monkeypatch.setattr(pseudo_anomalies, "SHADOW_SHARE", 0.0)


@pytest.mark.usefixtures("without_shadows")
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


@pytest.mark.usefixtures("without_shadows")
def test_anomalies_are_as_dense_and_as_large_in_windows_of_every_size():
    shares, largest_px = [], []
    for side_px, seeds in ((128, 120), (384, 30)):
        image = good_image(side_px=side_px)
        masks = [paint(seed, image)[1] for seed in range(seeds)]
        shares.append(np.mean(masks))
        spots = [box for mask in masks for box in ndimage.find_objects(ndimage.label(mask)[0])]
        extents_px = [rows.stop - rows.start for rows, _ in spots]
        largest_px.append(np.quantile(extents_px, 0.9))
    assert shares[1] == pytest.approx(shares[0], rel=0.25)
    assert largest_px[1] == pytest.approx(largest_px[0], rel=0.35)  # neighbours grow together


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


@pytest.mark.usefixtures("without_shadows")
def test_sizes_range_from_a_few_pixels_to_a_large_part_of_the_window():
    shares = np.array([paint(seed)[1].mean() for seed in range(300)])
    assert (shares > 0).mean() > 0.9
    assert np.mean(shares < 0.01) > 0.1
    assert np.mean(shares > 0.05) > 0.1
    assert shares.max() < 0.8


@pytest.mark.usefixtures("without_shadows")
def test_half_of_the_anomalies_are_placed_on_structure():
    image = np.full((96, 96, 3), 0.5, dtype=np.float32)
    image[40:56, 40:56] = good_image(
        2, 16
    )  # a small part before a plain ground: 1 / 36 of the area
    on_part = [paint(seed, image, good_image(1, 96))[1][32:64, 32:64].any() for seed in range(200)]
    assert np.mean(on_part) > 0.5


@pytest.mark.parametrize("size_px", [(64, 64), (16, 100), (100, 16), (1, 1)])
def test_windows_of_any_size_can_be_painted(size_px):
    image = np.random.default_rng(0).random((*size_px, 3), dtype=np.float32)
    for seed in range(50):
        painted, mask = paint_anomalies(image, image[::-1], np.random.default_rng(seed))
        assert painted.shape == image.shape
        assert mask.shape == size_px


def test_a_tenth_of_the_windows_get_a_shade_besides_and_nothing_else_is_moved(monkeypatch):
    flat = np.full((256, 256, 3), 0.5, dtype=np.float32)

    def painted(share):
        monkeypatch.setattr(pseudo_anomalies, "SHADOW_SHARE", share)
        images, masks = zip(*(paint(seed, flat, flat) for seed in range(100)), strict=True)
        return np.stack(images), np.stack(masks)

    (images, usual), (_, without), (_, always) = map(
        painted, (pseudo_anomalies.SHADOW_SHARE, 0.0, 1.0)
    )
    assert 0.03 < (usual != without).any(axis=(1, 2)).mean() < 0.2
    # But for what a shade brings back to what it was, so that nobody sees it.
    change = ndimage.maximum_filter(np.abs(images - flat).max(axis=3), size=(1, 5, 5))
    assert change[without & ~usual].max(initial=0) <= VISIBLE_CHANGE
    shaded_px = (always & ~without).sum(axis=(1, 2))
    assert 30**2 < np.median(shaded_px) < 90**2


@pytest.mark.parametrize(("side_px", "largest_px"), [(32, 48), (64, 64), (256, 96), (2000, 96)])
def test_a_shade_is_so_small_that_its_edge_is_seen_from_its_inside(side_px, largest_px):
    random = np.random.default_rng(0)
    extents_px = [anomaly_shapes.draw_shadow_extent_px(side_px, random) for _ in range(300)]
    assert min(extents_px) == pytest.approx(48, abs=1)
    assert max(extents_px) == pytest.approx(largest_px, abs=2)


@pytest.mark.parametrize("seed", range(20))
def test_what_a_shadow_changes_by_half_or_more_is_its_mask(seed):
    flat, covered = np.full((256, 256, 3), 0.5, dtype=np.float32), np.zeros((256, 256), np.bool_)
    painted = flat.copy()
    pseudo_anomalies._paint_shadow(painted, covered, np.random.default_rng(seed))
    change = np.abs(painted - flat)[..., 0]
    assert covered.any()
    assert 0.04 < change.max() < 0.31
    assert change[covered].min() >= change[~covered].max(initial=0)
    if not covered[[0, -1]].any() and not covered[:, [0, -1]].any():  # whole: its peak is within
        assert change[covered].min() == pytest.approx(change.max() / 2, rel=0.1)
        assert change[~covered].max() == pytest.approx(change.max() / 2, rel=0.1)


SHAPES = (anomaly_shapes.patch, anomaly_shapes.blob, anomaly_shapes.shadow, anomaly_shapes.line)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("extent_px", [3.0, 10.0, 64.0])
def test_every_shape_is_an_opacity_with_a_peak_of_one_and_empty_borders(shape, extent_px):
    for seed in range(30):
        opacity = shape(extent_px, np.random.default_rng(seed))
        assert opacity.dtype == np.float32
        assert opacity.min() >= 0
        assert opacity.max() == pytest.approx(1)
        border = [opacity[0], opacity[-1], opacity[:, 0], opacity[:, -1]]
        assert max(side.max() for side in border) < 0.1  # nothing is cut off
        assert max(opacity.shape) < 6 * extent_px + 40


def test_lines_are_thin():
    widths = []
    for seed in range(50):
        drawn = anomaly_shapes.line(32.0, np.random.default_rng(seed)) > 0.5
        widths.append(2 * ndimage.distance_transform_edt(np.pad(drawn, 1)).max())
    assert np.median(widths) <= 4


def test_extents_are_spread_evenly_over_their_logarithm():
    random = np.random.default_rng(0)
    extents_px = [anomaly_shapes.draw_extent_px(64.0, random) for _ in range(4000)]
    assert (min(extents_px) >= 3, max(extents_px) <= 64) == (True, True)
    counts, _ = np.histogram(np.log(extents_px), bins=4)
    assert counts.min() > 900
    assert 3 <= anomaly_shapes.draw_extent_px(0.5, random) <= 4  # in a window of one pixel


@pytest.mark.parametrize("fill", anomaly_fills.AREA_FILLS)
@pytest.mark.parametrize("box", [np.s_[0:1, 0:1], np.s_[3:20, 40:64], np.s_[0:64, 0:64]])
def test_every_fill_has_the_size_of_its_box_and_leaves_its_sources_alone(fill, box):
    image, donor = good_image(0), good_image(1)
    before = image.copy(), donor.copy()
    filled = fill(image, donor, box, np.random.default_rng(0))
    assert filled.shape == image[box].shape
    assert np.isfinite(filled).all()
    assert np.array_equal(image, before[0])
    assert np.array_equal(donor, before[1])


@pytest.mark.parametrize("shares", [anomaly_fills.AREA_FILLS, anomaly_fills.LINE_FILLS])
def test_fills_are_drawn_as_often_as_their_shares_say(shares):
    drawn = []
    fills = {partial(lambda f, *_: drawn.append(f), fill): share for fill, share in shares.items()}
    random = np.random.default_rng(0)
    for _ in range(2000):
        anomaly_fills.draw_fill(fills, good_image(), good_image(), np.s_[0:4, 0:4], random)
    for fill, share in shares.items():
        assert drawn.count(fill) / len(drawn) == pytest.approx(share, abs=0.04)


def test_lines_are_never_filled_with_copied_texture():
    copies = {
        anomaly_fills.moved,
        anomaly_fills.blended,
        anomaly_fills.turned,
        anomaly_fills.warped,
    }
    assert copies <= anomaly_fills.AREA_FILLS.keys()
    assert not copies & anomaly_fills.LINE_FILLS.keys()


def test_copied_texture_comes_from_the_donor():
    donor = good_image(3)
    box = np.s_[10:30, 5:45]
    moved = anomaly_fills.moved(good_image(), donor, box, np.random.default_rng(0))
    endless = np.pad(donor[..., 0], ((0, 20), (0, 40)), mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(endless, moved.shape[:2])
    mirrored = [moved[::a, ::b, 0] for a in (-1, 1) for b in (-1, 1)]
    assert any((windows == part).all(axis=(2, 3)).any() for part in mirrored)


def test_blended_texture_meets_the_image_all_round_and_keeps_its_edges():
    image, donor, box = good_image(), good_image(3), np.s_[10:30, 5:45]
    moved, blended = (
        fill(image, donor, box, np.random.default_rng(0))
        for fill in (anomaly_fills.moved, anomaly_fills.blended)
    )
    border = np.ones(blended.shape[:2], dtype=np.bool_)
    border[1:-1, 1:-1] = False
    assert np.abs(blended - image[box])[border].max() < 1e-6
    assert np.abs(moved - image[box])[border].max() > 0.1
    added = ndimage.laplace(blended[..., 0] - moved[..., 0])[1:-1, 1:-1]
    assert np.abs(added).max() < 1e-5  # bends nowhere


@pytest.mark.parametrize("fill", [anomaly_fills.turned, anomaly_fills.warped])
def test_turned_and_warped_structure_stays_within_the_images_values(fill):
    image = good_image()
    filled = fill(image, image, np.s_[20:44, 20:44], np.random.default_rng(1))
    assert filled.min() >= image.min() - 1e-6
    assert filled.max() <= image.max() + 1e-6
    assert np.abs(filled - image[20:44, 20:44]).max() > 0.01
