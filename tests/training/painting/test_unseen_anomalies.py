import numpy as np
import pytest
from scipy import ndimage

from rcae.training.painting import unseen_anomalies
from rcae.training.painting.unseen_anomalies import (
    NOTICEABLE,
    UNSEEN_KINDS,
    paint_kind,
    paint_unseen,
)

SEEDS = range(30)
every_kind = pytest.mark.parametrize("kind", UNSEEN_KINDS)


def good_image(size_px=(96, 120)):
    random = np.random.default_rng(0)
    return random.uniform(0.2, 0.8, (*size_px, 3)).astype(np.float32)


def paint(kind, seed, image=None):
    image = good_image() if image is None else image
    return paint_kind(kind, image, np.random.default_rng(seed))


@every_kind
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_painted_image_stays_an_image_and_the_good_one_is_untouched(kind, level):
    image = good_image() * 0.2 + 0.8 * np.float32(level)
    before = image.copy()
    for seed in SEEDS:
        painted, mask = paint(kind, seed, image)
        assert painted.dtype == np.float32
        assert painted.shape == image.shape
        assert (painted.min() >= 0, painted.max() <= 1) == (True, True)
        assert (mask.dtype, mask.shape) == (np.bool_, image.shape[:2])
    assert np.array_equal(image, before)


@every_kind
def test_the_mask_is_where_the_image_changes_and_nothing_changes_far_from_it(kind):
    image = good_image()
    for seed in SEEDS:
        painted, mask = paint(kind, seed, image)
        change = np.abs(painted - image).max(axis=2)
        assert mask.any()
        assert change[mask].min() > NOTICEABLE
        far = ndimage.distance_transform_edt(~mask) > 16
        assert change[far].max(initial=0) <= NOTICEABLE


@every_kind
def test_the_same_random_state_paints_the_same(kind):
    first, second = paint(kind, 5), paint(kind, 5)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], paint(kind, 6)[0])


@every_kind
@pytest.mark.parametrize("size_px", [(8, 8), (1, 40), (40, 1), (1, 1)])
def test_images_of_any_size_can_be_painted(kind, size_px):
    for seed in SEEDS:
        painted, mask = paint(kind, seed, good_image(size_px))
        assert painted.shape == (*size_px, 3)
        assert mask.shape == size_px
        assert np.isfinite(painted).all()


@every_kind
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_images_of_one_colour_can_be_painted(kind, level):
    image = np.full((32, 32, 3), level, dtype=np.float32)
    for seed in SEEDS:
        painted, mask = paint(kind, seed, image)
        assert np.isfinite(painted).all()
        assert not mask[np.abs(painted - image).max(axis=2) <= NOTICEABLE].any()


def test_any_of_the_kinds_is_drawn_about_as_often(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        unseen_anomalies, "paint_kind", lambda kind, image, _: (drawn.append(kind) or image, None)
    )
    random = np.random.default_rng(0)
    for _ in range(400):
        paint_unseen(good_image((1, 1)), random)
    assert min(drawn.count(kind) for kind in UNSEEN_KINDS) > 50


def test_the_unit_lies_between_one_pixel_and_what_it_is_in_an_image_of_256_px(monkeypatch):
    def units(size_px):
        drawn = []
        monkeypatch.setitem(
            UNSEEN_KINDS,
            "pit",
            lambda image, unit_px, _: (drawn.append(unit_px) or image, np.ones(size_px, np.bool_)),
        )
        image = good_image(size_px)
        for seed in range(100):
            paint("pit", seed, image)
        return drawn

    assert {*units((64, 100))} == {1.0}
    drawn = units((256, 1024))  # as many pixels as 512 px squared
    assert 1 <= min(drawn) < 1.1
    assert 1.9 < max(drawn) <= 2
