import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from rcae.model.feature_distance import RIDGE, FeatureDistance, is_border, joined


def good_features():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(4, 4, generator=generator)
    batches = torch.randn(5, 2, 4, 6, 7, generator=generator)
    return [torch.einsum("cd,bdhw->bchw", mixing, batch) + 3.0 for batch in batches]


def fitted(features):
    distance = FeatureDistance(features[0].shape[1])
    distance.fit(features)
    return distance


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
        distance.mean[0] += 1000
    seen = distance(features[0][:1])[0, where]
    np.testing.assert_allclose(seen, expected, rtol=1e-4)


def test_the_border_is_four_cells_wide_but_at_most_a_quarter_of_a_side():
    border = is_border(torch.zeros(1, 1, 20, 12))
    assert not border[4:-4, 3:-3].any()
    assert border.sum() == 20 * 12 - 12 * 6
    assert not is_border(torch.zeros(1, 1, 3, 3)).any()


def test_the_border_may_look_as_within():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, is_border(good)] *= 0.01  # plain ground there
    distance = fitted([good])
    speck = good.clone()
    speck[0, :, 0, 0] = torch.tensor([1.0, -1.0])
    assert distance(speck)[0, 0, 0] < 2


def test_what_is_usual_at_the_border_is_a_defect_within():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, is_border(good)] *= 10
    distance = fitted([good])
    assert distance(good)[:, 4:-4, 4:-4].max() < 4
    assert distance(good).max() < 4
    odd = good.clone()
    odd[0, :, 16, 16] = good[0, :, 0, 0].sign() * 10
    assert distance(odd)[0, 16, 16] > 8


def test_good_features_lie_at_about_one():
    features = good_features()
    mean_square = fitted(features)(torch.cat(features))[:, 1:-1, 1:-1].square().mean()
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
        fitted(features).whitening,
        fitted([torch.cat(features)]).whitening,
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
