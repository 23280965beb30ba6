import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from scipy.spatial.distance import mahalanobis

from rcae.model.feature_distance import RIDGE, FeatureDistance, is_border, joined, regions


def good_features():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(4, 4, generator=generator)
    batches = torch.randn(5, 2, 4, 6, 7, generator=generator)
    return [torch.einsum("cd,bdhw->bchw", mixing, batch) + 3.0 for batch in batches]


def fitted(features):
    distance = FeatureDistance(features[0].shape[1])
    distance.fit_cells(features)
    distance.fit_regions(features)
    return distance


def of_cells(distance, features):
    return distance(features)[:, 0]


@pytest.mark.parametrize("zone", ["within", "border"])
def test_the_distance_is_that_of_scipy_up_to_the_ridge_in_each_zone(zone):
    features = good_features()  # 6 x 7 cells: the border is one cell wide
    inner = np.zeros((6, 7), dtype=bool)
    inner[1:-1, 1:-1] = True
    where = torch.from_numpy(inner if zone == "within" else ~inner)
    rows = torch.cat(features).permute(0, 2, 3, 1)[:, where].reshape(-1, 4).double().numpy()
    covariance = np.cov(rows.T, bias=True)
    covariance += RIDGE * np.diag(covariance.diagonal())
    inverse = np.linalg.inv(covariance)
    first = rows[: int(where.sum())]
    expected = [mahalanobis(row, rows.mean(0), inverse) / 4**0.5 for row in first]
    distance = fitted(features)
    if zone == "border":  # as within, it would be far from everything
        distance.cell.mean[0] += 1000
    seen = of_cells(distance, features[0][:1])[0, where]
    np.testing.assert_allclose(seen, expected, rtol=1e-4)


def test_the_border_is_four_cells_wide_but_at_most_a_quarter_of_a_side():
    border = is_border(torch.zeros(1, 1, 20, 12), 4)
    assert not border[4:-4, 3:-3].any()
    assert border.sum() == 20 * 12 - 12 * 6
    assert not is_border(torch.zeros(1, 1, 3, 3), 4).any()


def test_the_border_may_look_as_within():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, is_border(good, 4)] *= 0.01  # plain ground there
    distance = fitted([good])
    speck = good.clone()
    speck[0, :, 0, 0] = torch.tensor([1.0, -1.0])
    assert of_cells(distance, speck)[0, 0, 0] < 2


def test_what_is_usual_at_the_border_is_a_defect_within():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, is_border(good, 4)] *= 10
    distance = fitted([good])
    assert distance(good)[:, :, 4:-4, 4:-4].max() < 4
    assert distance(good).max() < 4
    odd = good.clone()
    odd[0, :, 16, 16] = good[0, :, 0, 0].sign() * 10
    assert of_cells(distance, odd)[0, 16, 16] > 8


def test_good_features_lie_at_about_one():
    features = good_features()
    mean_square = of_cells(fitted(features), torch.cat(features))[:, 1:-1, 1:-1].square().mean()
    assert mean_square == pytest.approx(1.0, abs=0.01)


def test_the_unit_of_a_feature_does_not_matter():
    unit = torch.tensor([1.0, 100.0, 0.01, 7.0])[:, None, None]
    features = good_features()
    scaled = [batch * unit for batch in features]
    torch.testing.assert_close(
        fitted(features)(features[0]), fitted(scaled)(scaled[0]), rtol=1e-3, atol=1e-3
    )


def test_how_images_are_batched_does_not_matter():
    features = good_features()
    torch.testing.assert_close(
        fitted(features).cell.whitening,
        fitted([torch.cat(features)]).cell.whitening,
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_feature_that_never_changes_is_no_division_by_zero():
    features = [
        torch.cat([batch, torch.ones_like(batch[:, :1])], dim=1) for batch in good_features()
    ]
    assert fitted(features)(features[0]).isfinite().all()


def test_levels_meet_at_the_second_finest_resolution():
    coarse, middle, fine = torch.rand(2, 3, 2, 2), torch.rand(2, 4, 4, 4), torch.rand(2, 5, 8, 8)
    together = joined([coarse, middle, fine])
    assert together.shape == (2, 12, 4, 4)
    assert torch.equal(together[:, 3:7], middle)
    torch.testing.assert_close(together[0, 7, 1, 2], fine[0, 0, 2:4, 4:6].mean())
    assert joined([fine]).shape == fine.shape


def test_steps_of_a_3d_level_are_averaged():
    level = torch.rand(1, 3, 5, 4, 4)
    assert torch.equal(joined([level]), level.mean(dim=2))


def test_a_region_is_the_mean_over_three_blocks_of_four_cells_around_each_block():
    features = torch.rand(1, 1, 24, 32, generator=torch.Generator().manual_seed(0))
    means = uniform_filter(features[0, 0].double().numpy(), 12)  # even: centred between two cells
    np.testing.assert_allclose(
        regions(features)[0, 0, 1:-1, 1:-1], means[6:-4:4, 6:-4:4], rtol=1e-5
    )
    torch.testing.assert_close(regions(features)[0, 0, 0, 0], features[0, 0, :8, :8].mean())


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (13, 22), (16, 16)])
def test_every_cell_belongs_to_a_block(size):
    features = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    rows, columns = regions(features).shape[2:]
    assert rows == -(-size[0] // 4)
    assert columns == -(-size[1] // 4)
    assert fitted([features])(features).shape == (2, 2, *size)


def test_a_large_faint_change_shows_in_the_region_where_no_cell_shows_it():
    generator = torch.Generator().manual_seed(0)
    good = torch.randn(8, 4, 48, 48, generator=generator)
    distance = fitted([good])
    changed = torch.randn(1, 4, 48, 48, generator=generator)
    changed[:, :, 16:32, 16:32] += 0.7
    cells, region = distance(changed)[0]
    assert cells[16:32, 16:32].max() < distance(good)[:, 0].max()
    assert region[24, 24] > 4
    assert region[24, 24] > 2 * distance(good)[:, 1].max()
    assert region[:8].max() < 3


def test_a_speck_is_the_cells_to_judge_and_hardly_moves_its_region():
    generator = torch.Generator().manual_seed(0)
    good = torch.randn(8, 4, 48, 48, generator=generator)
    distance = fitted([good])
    speck = good.clone()
    speck[0, :, 20, 20] = 40.0
    cells, region = distance(speck)[0]
    assert cells[20, 20] > 30
    assert region.max() < 1.2 * distance(good)[0, 1].max()
