from collections import Counter

import numpy as np
import pytest

from rcae.model.evidence.evidence import FOLDS
from rcae.training.folds import GROUPS, alike_in_one_fold


def series(sizes, seed=0):
    """Images of some parts, each seen several times, and the part of each image."""
    random = np.random.default_rng(seed)
    parts = random.random((len(sizes), 20, 30, 3), dtype=np.float32)
    shown = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = 0.02 * random.random((len(shown), 20, 30, 3), dtype=np.float32)
    return [parts[part] + one for part, one in zip(shown, noise, strict=True)], shown


def test_images_of_one_part_lie_in_one_fold_and_folds_are_about_as_large():
    images, parts = series([7] * 12)
    folds = np.array(alike_in_one_fold(images))
    assert all(len(set(folds[parts == part])) == 1 for part in range(12))
    assert Counter(folds.tolist()) == dict.fromkeys(range(FOLDS), 21)


def test_the_ordinary_look_is_divided_among_all_folds_and_a_rare_series_is_not():
    images, parts = series([40, 5])
    folds = np.array(alike_in_one_fold(images))
    assert len(set(folds[parts == 1])) == 1
    counts = Counter(folds.tolist())
    assert set(counts) == set(range(FOLDS))
    assert max(counts.values()) - min(counts.values()) <= GROUPS


@pytest.mark.parametrize("count", [2, 8, 9, 40])
def test_copies_of_one_image_are_spread_evenly(count):
    folds = alike_in_one_fold([np.full((16, 16, 3), 0.5, np.float32)] * count)
    assert len(folds) == count
    counts = [folds.count(fold) for fold in range(FOLDS)]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_no_fold_has_more_than_half_of_the_images_whatever_they_show(seed):
    random = np.random.default_rng(seed)
    images, _ = series(random.integers(1, 60, size=random.integers(1, 30)), seed)
    if len(images) >= 8:
        folds = Counter(alike_in_one_fold(images))
        assert max(folds.values()) <= len(images) / 2


def test_images_of_different_sizes_are_compared():
    random = np.random.default_rng(0)
    images = [random.random((side, 2 * side, 3), dtype=np.float32) for side in range(12, 24)]
    assert sorted(Counter(alike_in_one_fold(images)).values()) == [3, 3, 3, 3]
