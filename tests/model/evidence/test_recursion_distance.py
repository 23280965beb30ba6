import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from rcae.base.settings import load_settings
from rcae.model.evidence.evidence import FOLDS, averaged
from rcae.model.evidence.patch_memory import CHANNELS, patches_at_scales
from rcae.model.evidence.recursion_distance import RecursionDistance
from rcae.model.evidence.whitening import RIDGE
from rcae.model.system import RcaeSystem
from tests.conftest import TINY


def good_features():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(CHANNELS, CHANNELS, generator=generator) / CHANNELS**0.5
    drawn = torch.randn(5, CHANNELS, 12, 13, generator=generator)
    return [one[None] + 3.0 for one in torch.einsum("mc,ncrw->nmrw", mixing, drawn)]


def fitted(features):
    distance = RecursionDistance()
    for place, one in enumerate(features):
        distance.learn(one, place % FOLDS)
    distance.settle()
    return distance


def positions_of(features):
    return features.permute(0, 2, 3, 1).flatten(end_dim=2).double().numpy()


def test_the_distance_is_that_of_scipy_up_to_the_ridge():
    features = good_features()
    good = np.concatenate([positions_of(one) for one in features])
    covariance = np.cov(good, rowvar=False, bias=True)
    covariance += RIDGE * np.diag(covariance.diagonal())
    new = 2 * torch.randn(1, CHANNELS, 5, 4, generator=torch.Generator().manual_seed(1))
    mean, inverse = good.mean(axis=0, keepdims=True), np.linalg.inv(covariance)
    distances = cdist(positions_of(new), mean, "mahalanobis", VI=inverse) / CHANNELS**0.5
    expected = averaged(torch.from_numpy(distances).float().view(1, 1, 5, 4), 3)[:, 0]
    torch.testing.assert_close(fitted(features)(new), expected, rtol=1e-3, atol=1e-3)


def test_good_features_lie_at_about_one():
    features = good_features()
    assert fitted(features)(torch.cat(features)).mean() == pytest.approx(1.0, abs=0.02)


def test_what_the_recursion_always_takes_away_is_usual_and_taking_nothing_away_is_not():
    distance = fitted(good_features())
    always = distance.mean[None, :, None, None].expand(1, -1, 3, 3)
    assert (distance(always) == 0).all()
    assert distance(torch.zeros(1, CHANNELS, 3, 3)).min() > 2


def build():
    values = [*TINY, "model.recursion_distance=true", "training.crop_px=512"]
    return RcaeSystem(load_settings("quick", values=values).model).eval()


@pytest.mark.parametrize("size_px", [(40, 56), (37, 50)])
def test_the_features_are_those_of_the_image_less_those_of_the_last_reconstruction(size_px):
    system, image = build(), torch.rand(2, 3, *size_px)
    with torch.inference_mode():
        last = system.sequences(system.pad(image)).reconstructions[:, -1]
        last = last[:, :, : size_px[0], : size_px[1]]
        whole, reconstructed = (
            patches_at_scales(system.pretrained, one)[0] for one in (image, last)
        )
        difference = RecursionDistance().features(system.sight(image))
    assert difference.shape == (2, CHANNELS, 3, 4)
    assert difference.abs().max() > 0.1
    torch.testing.assert_close(difference, whole - reconstructed, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size_px", [(64, 64), (37, 50), (1, 5)])
def test_a_perfect_reconstruction_leaves_no_difference(size_px, monkeypatch):
    system = build()
    system.ground.zero_()  # subtracted and added, it would round
    monkeypatch.setattr(
        system.reconstruction, "sequence", lambda image, _: torch.stack([0 * image, image], dim=1)
    )
    with torch.inference_mode():
        difference = RecursionDistance().features(system.sight(torch.rand(1, 3, *size_px)))
    assert (difference == 0).all()
