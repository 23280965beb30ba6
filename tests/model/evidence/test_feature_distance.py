import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from rcae.model.evidence.evidence import FOLDS
from rcae.model.evidence.feature_distance import (
    FeatureDistance,
    is_border,
    joined,
    places_along,
)
from rcae.model.evidence.whitening import RIDGE


def good_features():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(4, 4, generator=generator)
    batches = torch.randn(5, 2, 4, 6, 7, generator=generator)
    return [torch.einsum("cd,bdhw->bchw", mixing, batch) + 3.0 for batch in batches]


def fitted(features):
    distance = FeatureDistance(features[0].shape[1], cell_px=4)
    for place, one in enumerate(features):
        distance.learn(one, place % FOLDS)
    distance.settle()
    return distance


def border_of(features):
    return is_border(*(places_along(length) for length in features.shape[2:]))


@pytest.mark.parametrize("zone", ["within", "border"])
def test_the_distance_is_that_of_scipy_up_to_the_ridge_in_each_zone(zone):
    features = good_features()  # 6 x 7 cells: the border is one cell wide
    cells = [(row, column) for row in range(6) for column in range(7)]
    place = {
        cell: (cell[0] in (0, 5), cell[0] == 5, cell[1] in (0, 6), cell[1] == 6) for cell in cells
    }
    inner = place[2, 2]
    here = [cell for cell in cells if (place[cell] == inner) == (zone == "within")]
    values = torch.cat(features).double().numpy()
    centred = {}
    for cell in here:
        alike = [values[:, :, *other] for other in cells if place[other] == place[cell]]
        centred[cell] = values[:, :, *cell] - np.concatenate(alike).mean(0)
    rows = np.concatenate(list(centred.values()))
    covariance = rows.T @ rows / len(rows)
    covariance += RIDGE * np.diag(covariance.diagonal())
    inverse = np.linalg.inv(covariance)
    distance = fitted(features)
    if zone == "border":  # as within, it would be far from everything
        distance.mean[4, 4] += 1000
    seen = distance(features[0][:1])[0]
    for cell in here:
        expected = mahalanobis(centred[cell][0], np.zeros(4), inverse) / 4**0.5
        assert seen[cell].item() == pytest.approx(expected, rel=1e-4)


def test_a_corner_that_is_unlike_the_rest_in_every_good_image_is_as_usual_as_any_place():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, -1, -1] += torch.tensor([30.0, -30.0])
    distance = fitted([good])
    assert distance(good)[:, -1, -1].mean() < 1.5
    odd = good.clone()
    odd[0, :, 0, 0] = good[0, :, -1, -1]  # usual in another corner alone
    assert distance(odd)[0, 0, 0] > 10


def test_every_place_along_a_side_is_told_from_both_ends():
    assert places_along(20).tolist() == [0, 1, 2, 3, *[4] * 12, 5, 6, 7, 8]
    assert places_along(12).tolist() == [0, 1, 2, *[4] * 6, 6, 7, 8]
    assert places_along(4).tolist() == [0, 4, 4, 8]
    assert places_along(3).tolist() == [4, 4, 4]


def test_the_border_is_four_cells_wide_but_at_most_a_quarter_of_a_side():
    border = border_of(torch.zeros(1, 1, 20, 12))
    assert not border[4:-4, 3:-3].any()
    assert border.sum() == 20 * 12 - 12 * 6
    assert not border_of(torch.zeros(1, 1, 3, 3)).any()


def test_the_border_may_look_as_within():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, border_of(good)] *= 0.01  # plain ground there
    distance = fitted([good])
    speck = good.clone()
    speck[0, :, 0, 0] = torch.tensor([1.0, -1.0])
    assert distance(speck)[0, 0, 0] < 2


def test_what_is_usual_at_the_border_is_a_defect_within():
    good = torch.randn(8, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    good[:, :, border_of(good)] *= 10
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
