import tracemalloc
import weakref
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rcae.base.errors import DataError, UsageError
from rcae.data.regions import connected_regions
from rcae.evaluation.metrics.ranking import image_metrics, rank_scores
from rcae.evaluation.metrics.regions import aupro, pixel_metrics, rank_pixels

Pair = tuple[NDArray, NDArray]
fixed = settings(derandomize=True, deadline=None, max_examples=80)


@st.composite
def random_images(draw) -> list[Pair]:
    """Small maps with many ties or none, and masks that are empty, full or anything between."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
        levels = draw(st.sampled_from([2, 5, 10**6]))
        values = generator.integers(-levels, levels, shape) * 0.37
        mask = generator.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]))
        images.append((values.astype(np.float32), mask))
    return images


def pixels_of_each_region(mask: NDArray) -> list[set[tuple[int, int]]]:
    """Flood fill over eight neighbours, written to share nothing with the code under test."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    regions = []
    while left:
        region, border = set(), [left.pop()]
        while border:
            y, x = border.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            border.extend(near)
        regions.append(region)
    return regions


def aupro_by_brute_force(images: list[Pair], limit: float) -> float | None:
    """Try every distinct score as a threshold and add up trapezoids, cutting at the limit."""
    regions = [
        [float(values[pixel]) for pixel in region]
        for values, mask in images
        for region in pixels_of_each_region(mask)
    ]
    good = [float(value) for values, mask in images for value in values[~mask]]
    if not regions or not good:
        return None
    points = [(0.0, 0.0)]
    for threshold in sorted({float(v) for values, _ in images for v in values.flat}, reverse=True):
        rate = sum(value >= threshold for value in good) / len(good)
        shares = [sum(value >= threshold for value in region) / len(region) for region in regions]
        points.append((rate, sum(shares) / len(shares)))
    area = 0.0
    for (left, low), (right, high) in pairwise(points):
        if left < right and left < limit:
            end = min(right, limit)
            height = low + (high - low) * (end - left) / (right - left)
            area += (end - left) * (low + height) / 2
    return area / limit


@fixed
@given(random_images(), st.sampled_from([0.05, 0.3, 0.5, 1.0]))
def test_aupro_equals_a_brute_force_loop_over_every_threshold(images, limit):
    expected = aupro_by_brute_force(images, limit)
    measured = aupro(rank_pixels(lambda: images), limit)
    assert measured == (expected if expected is None else pytest.approx(expected, abs=1e-12))


@fixed
@given(random_images())
def test_maps_one_by_one_give_the_table_of_all_pixels_at_once(images):
    scores = np.concatenate([values.ravel() for values, _ in images])
    labels = np.concatenate([mask.ravel() for _, mask in images])
    streamed = rank_pixels(lambda: images).pixels
    np.testing.assert_equal(vars(streamed), vars(rank_scores(scores, labels)))


@fixed
@given(random_images())
def test_pixel_metrics_rank_pixels_as_image_metrics_rank_images(images):
    flat = image_metrics(
        np.concatenate([values.ravel() for values, _ in images]),
        np.concatenate([mask.ravel() for _, mask in images]),
    )
    measured = pixel_metrics(lambda: images)
    for name in ("auroc", "ap", "f1_max"):
        assert measured[f"pixel_{name}"] == flat[f"image_{name}"]


@fixed
@given(random_images(), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(images, random):
    shuffled = random.sample(images, len(images))
    assert pixel_metrics(lambda: shuffled) == pytest.approx(
        pixel_metrics(lambda: images), abs=1e-12
    )


@fixed
@given(random_images())
def test_a_strictly_rising_change_of_scale_changes_nothing(images):
    rescaled = [(1e5 * values.astype(np.float64) ** 3 - 2, mask) for values, mask in images]
    assert pixel_metrics(lambda: rescaled) == pixel_metrics(lambda: images)


@fixed
@given(random_images())
def test_regions_are_those_of_a_flood_fill(images):
    for _, mask in images:
        labels, count = connected_regions(mask)
        found = [{(int(y), int(x)) for y, x in np.argwhere(labels == n + 1)} for n in range(count)]
        assert sorted(map(sorted, found)) == sorted(map(sorted, pixels_of_each_region(mask)))
        assert (labels[~mask] == 0).all()


def test_pixels_that_touch_at_a_corner_are_one_region():
    labels, count = connected_regions(np.eye(3, dtype=np.bool_)[:, ::-1])
    assert count == 1
    assert labels.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert connected_regions(np.array([[True, False, True]]))[1] == 2


def worked_example() -> Iterator[Pair]:
    """A region of one pixel, 0.9, and one of two, 0.8 and 0.4; then a good image."""
    yield (
        np.array([[0.9, 0.85, 0.8], [0.1, 0.6, 0.4]], np.float32),
        np.array([[True, False, True], [False, False, True]]),
    )
    yield (
        np.array([[0.5, 0.1, 0.1], [0.0, -3.0, 0.3], [0.2, 0.2, 0.2]], np.float32),
        np.zeros((3, 3), np.bool_),
    )


def test_aupro_of_an_example_worked_by_hand():
    """Twelve good pixels: the mean overlap is 1/2 at rate 0, 3/4 from 1/12, 1 from 3/12."""
    table = rank_pixels(worked_example)
    assert table.pixels.negative_count == 12
    assert table.region_overlap == pytest.approx([0.5, 0.75, 1.0])
    assert aupro(table, 0.05) == pytest.approx(1 / 2)
    assert aupro(table, 2 / 12) == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert aupro(table, 0.3) == pytest.approx((1 / 2 / 12 + 3 / 4 * 2 / 12 + 0.05) / 0.3)


def test_aupro_interpolates_at_the_limit_where_good_and_defective_pixels_are_tied():
    """Tied with five of ten good pixels, the curve climbs to 1 at rate 0.5, to 0.6 at 0.3."""
    values = np.array([[2.0] * 6 + [1.0] * 5])
    mask = np.zeros((1, 11), np.bool_)
    mask[0, 3] = True
    assert aupro(rank_pixels(lambda: [(values, mask)])) == pytest.approx(0.3 * 0.6 / 2 / 0.3)


def test_a_small_region_counts_as_much_as_a_large_one():
    mask = np.zeros((8, 8), np.bool_)
    mask[:6, :6] = True
    mask[7, 7] = True
    values = np.where(mask, 1.0, 0.0)
    values[7, 7] = -1.0
    assert aupro(rank_pixels(lambda: [(values, mask)])) == pytest.approx(0.5)


def test_perfect_maps_reach_exactly_one_and_inverted_maps_zero():
    generator = np.random.default_rng(0)
    mask = generator.random((20, 20)) < 0.2
    values = generator.random((20, 20)) + mask * 5
    assert set(pixel_metrics(lambda: [(values, mask)]).values()) == {1.0}
    inverted = pixel_metrics(lambda: [(-values, mask)])
    assert (inverted["pixel_auroc"], inverted["aupro"]) == (0.0, 0.0)


def test_a_constant_map_finds_nothing():
    mask = np.eye(5, dtype=np.bool_)
    measured = pixel_metrics(lambda: [(np.full((5, 5), -8.0), mask)])
    assert measured["pixel_auroc"] == 0.5
    assert measured["aupro"] == pytest.approx(0.3 / 2)
    assert measured["aupro_5"] == pytest.approx(0.05 / 2)


@pytest.mark.parametrize("defective", [False, True])
def test_without_both_kinds_of_pixels_every_metric_is_none(defective):
    images = [(np.ones((4, 5)), np.full((4, 5), defective))] * 2
    measured = pixel_metrics(lambda: images)
    assert list(measured) == ["pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "aupro_5"]
    assert set(measured.values()) == {None}


def test_only_one_map_is_alive_at_a_time():
    alive = 0
    most_alive = []

    def forget() -> None:
        nonlocal alive
        alive -= 1

    def fresh_map(seed: int) -> NDArray:
        nonlocal alive
        values = np.random.default_rng(seed).random((30, 20))
        alive += 1
        most_alive.append(alive)
        weakref.finalize(values, forget)
        return values

    def maps() -> Iterator[Pair]:
        for seed in range(6):
            yield fresh_map(seed), np.eye(30, 20, dtype=np.bool_)

    pixel_metrics(maps)
    assert most_alive == [1] * 12


def test_memory_does_not_grow_with_good_images():
    mask = np.zeros((100, 100), np.bool_)
    mask[:5, :5] = True

    def peak_bytes(image_count: int) -> int:
        def maps() -> Iterator[Pair]:
            for seed in range(image_count):
                yield np.random.default_rng(seed).random((100, 100)), mask & (seed == 0)

        tracemalloc.start()
        pixel_metrics(maps)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert peak_bytes(60) < 1.2 * peak_bytes(3)


def test_an_iterator_that_is_used_up_after_one_pass_is_refused():
    once = worked_example()
    with pytest.raises(DataError, match="gave 0 good pixels, the first 12"):
        pixel_metrics(lambda: once)


def test_no_maps_at_all_are_refused():
    with pytest.raises(DataError, match="at least one image"):
        pixel_metrics(list)


MASK = np.zeros((3, 4), np.bool_)
GOOD = (np.zeros((3, 4), np.float32), MASK)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((np.full((3, 4), np.nan, np.float32), MASK), "12 of 12 values are NaN or infinite"),
        ((np.zeros((3, 5), np.float32), MASK), r"shape \(3, 5\) with labels of shape \(3, 4\)"),
        ((np.zeros((3, 4), np.float32), MASK.astype(np.uint8)), "labels of uint8"),
        ((np.zeros((3, 4), np.float64), MASK), "float64; every map must be .* float32"),
        ((np.zeros((1, 3, 4), np.float32), MASK[None]), r"shape \(1, 3, 4\)"),
    ],
)
def test_a_map_that_breaks_the_rules_is_named_by_its_place(pair, message):
    with pytest.raises(DataError, match=rf"anomaly map 1 \(the first is 0\): .*{message}"):
        pixel_metrics(lambda: [GOOD, pair])


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.1, np.nan])
def test_a_limit_outside_zero_to_one_is_refused(limit):
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        aupro(rank_pixels(worked_example), limit)
