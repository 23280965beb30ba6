import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from rcae.model.evidence.evidence import averaged
from rcae.model.evidence.patch_memory import CHANNELS, PATCHES, PatchMemory, patch_features
from rcae.model.evidence.whitening import RIDGE, whitening_of


def good_features(images=3, rows=30, columns=31):
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(CHANNELS, CHANNELS, generator=generator) / CHANNELS**0.5
    shape = (images, CHANNELS, rows, columns)
    drawn = torch.einsum("mc,ncrw->nmrw", mixing, torch.randn(shape, generator=generator))
    return [one[None] + 3.0 for one in drawn]


@pytest.fixture(scope="module")
def memory():
    memory = PatchMemory()
    memory.fit(good_features(), seed=0)
    return memory


def test_the_distance_is_that_to_the_nearest_whitened_patch_as_scikit_learn_finds_it(memory):
    new = torch.randn(1, CHANNELS, 5, 4, generator=torch.Generator().manual_seed(1)) + 3.0
    whitened = (new[0].flatten(1).T - memory.mean) @ memory.whitening.T
    neighbours = NearestNeighbors(n_neighbors=1).fit(memory.patches.numpy())
    distances = neighbours.kneighbors(whitened.numpy())[0].reshape(1, 1, 5, 4) / CHANNELS**0.5
    expected = averaged(torch.from_numpy(distances).float(), 3)[:, 0]
    torch.testing.assert_close(memory(new), expected, atol=1e-4, rtol=1e-4)


def test_the_patches_are_a_sample_of_all_whitened_positions(memory):
    positions = torch.cat([one[0].flatten(1).T for one in good_features()])
    whitened = (positions - memory.mean) @ memory.whitening.T
    exact = "donot_use_mm_for_euclid_dist"
    nearest = torch.cdist(memory.patches, whitened, compute_mode=exact).min(dim=1)
    assert nearest.values.max() < 1e-3
    assert len(nearest.indices.unique()) == PATCHES
    owners = nearest.indices // (30 * 31)
    assert torch.equal(owners, memory.owners)
    assert owners.bincount().min() > PATCHES / 4


def test_without_an_image_its_own_patches_do_not_count(memory):
    own = good_features()[1]
    assert memory(own, without=1).min() > memory(own).min() + 0.05
    others = PatchMemory()
    others.load_state_dict(memory.state_dict())
    others.patches[others.owners == 1] = 1e4
    torch.testing.assert_close(memory(own, without=1), others(own), atol=1e-3, rtol=1e-3)


def test_fewer_positions_than_patches_fill_the_memory_by_repetition():
    memory = PatchMemory()
    memory.fit(good_features(images=2, rows=20, columns=20), seed=0)
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
    fine, coarse = torch.rand(2, 40, 5, 8), torch.rand(2, 112, 3, 4)
    joined = patch_features(fine, coarse)
    assert joined.shape == (2, CHANNELS, 3, 4)
    torch.testing.assert_close(joined[:, 40:], averaged(coarse, 3))
    smooth = averaged(fine, 3)
    torch.testing.assert_close(joined[:, :40, 1, 2], smooth[:, :, 2:4, 4:6].mean(dim=(2, 3)))
    torch.testing.assert_close(joined[:, :40, 2, 0], smooth[:, :, 4:, 0:2].mean(dim=(2, 3)))
