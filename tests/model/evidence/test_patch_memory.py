import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from rcae.model.evidence.evidence import FOLDS, averaged
from rcae.model.evidence.patch_memory import (
    CHANNELS,
    PATCHES,
    SCALES,
    PatchMemory,
    patch_features,
    patches_at_scales,
)
from rcae.model.evidence.pretrained import load_pretrained
from rcae.model.evidence.whitening import RIDGE, whitening_of


def good_features(images=3, rows=30, columns=31):
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(CHANNELS, CHANNELS, generator=generator) / CHANNELS**0.5
    shape = (images, CHANNELS, rows, columns)
    drawn = torch.einsum("mc,ncrw->nmrw", mixing, torch.randn(shape, generator=generator))
    return [one[None] + 3.0 for one in drawn]


def fitted(features):
    memory = PatchMemory(scale=1)
    for place, one in enumerate(features):
        memory.learn(one, place % FOLDS)
    memory.settle()
    return memory


@pytest.fixture(scope="module")
def memory():
    return fitted(good_features())


def test_the_distance_to_the_nearest_patch_less_its_radius_is_what_scikit_learn_finds(memory):
    new = torch.randn(1, CHANNELS, 5, 4, generator=torch.Generator().manual_seed(1)) + 3.0
    whitened = (new[0].flatten(1).T - memory.mean) @ memory.whitening.T
    neighbours = NearestNeighbors(n_neighbors=1).fit(memory.patches.numpy())
    distances, places = neighbours.kneighbors(whitened.numpy())
    above = distances / CHANNELS**0.5 - memory.radius.numpy()[places]
    expected = averaged(torch.from_numpy(above).float().reshape(1, 1, 5, 4), 3)[:, 0]
    torch.testing.assert_close(memory(new), expected, atol=1e-4, rtol=1e-4)


def test_the_patches_are_whitened_positions_and_none_twice(memory):
    positions = torch.cat([one[0].flatten(1).T for one in good_features()])
    whitened = (positions - memory.mean) @ memory.whitening.T
    exact = "donot_use_mm_for_euclid_dist"
    nearest = torch.cdist(memory.patches, whitened, compute_mode=exact).min(dim=1)
    assert nearest.values.max() < 0.01
    assert len(nearest.indices.unique()) == PATCHES


def test_a_rare_good_patch_is_remembered_however_many_others_there_are():
    features = good_features()
    features[1][0, :, 3, 4] += 40.0
    memory = fitted(features)
    rare = (features[1][0, :, 3, 4] - memory.mean) @ memory.whitening.T
    assert (memory.patches - rare).norm(dim=1).min() < 0.05


def test_every_patch_is_one_that_half_precision_holds(memory):
    assert torch.equal(memory.patches, memory.patches.half().float())


def test_fewer_positions_than_patches_fill_the_memory_by_repetition():
    memory = fitted(good_features(images=2, rows=20, columns=20))
    assert memory.patches.isfinite().all()
    assert len(memory.patches.unique(dim=0)) == 800


def test_whitened_good_features_have_unit_variance_and_no_correlation():
    random = np.random.default_rng(0)
    values = random.normal(size=(5000, 6)) @ random.normal(size=(6, 6)) * [1, 10, 0.1, 5, 1, 2]
    covariance = EmpiricalCovariance().fit(values).covariance_
    whitening = whitening_of(torch.from_numpy(covariance)).numpy()
    white = np.cov(values @ whitening.T, rowvar=False, bias=True)
    np.testing.assert_allclose(white, np.eye(6), atol=60 * RIDGE)


def test_both_resolutions_are_joined_position_by_position():
    fine, coarse = torch.rand(2, 40, 6, 8), torch.rand(2, 112, 3, 4)
    joined = patch_features(fine, coarse)
    assert joined.shape == (2, CHANNELS, 3, 4)
    torch.testing.assert_close(joined[:, 40:], averaged(coarse, 3))
    smooth = averaged(fine, 3)
    torch.testing.assert_close(joined[:, :40, 1, 2], smooth[:, :, 2:4, 4:6].mean(dim=(2, 3)))
    torch.testing.assert_close(joined[:, :40, 2, 0], smooth[:, :, 4:, 0:2].mean(dim=(2, 3)))


@pytest.mark.parametrize("size_px", [(1, 1), (16, 33), (70, 64), (96, 100)])
def test_each_scale_sees_the_image_reduced_and_extended_no_farther_than_its_last_cells(size_px):
    pretrained, (height, width) = load_pretrained(), size_px
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    for scale, patches in zip(SCALES, patches_at_scales(pretrained, image), strict=True):
        cell_px = 16 * scale
        padding = ((0, 0), (0, 0), (0, -height % cell_px), (0, -width % cell_px))
        extended = np.pad(image.numpy(), padding, mode="edge")
        rows, columns = (length // scale for length in extended.shape[2:])
        reduced = extended.reshape(2, 3, rows, scale, columns, scale).mean(axis=(3, 5))
        assert patches.shape == (2, CHANNELS, -(-height // cell_px), -(-width // cell_px))
        expected = patch_features(*pretrained(torch.from_numpy(reduced)))
        torch.testing.assert_close(patches, expected, rtol=1e-4, atol=1e-4)


def test_asked_for_one_scale_the_patches_are_those_of_that_scale_among_all():
    pretrained, image = load_pretrained(), torch.rand(1, 3, 70, 64)
    everything = dict(zip(SCALES, patches_at_scales(pretrained, image), strict=True))
    for scale in SCALES:
        (alone,) = patches_at_scales(pretrained, image, scales=(scale,))
        assert torch.equal(alone, everything[scale])
