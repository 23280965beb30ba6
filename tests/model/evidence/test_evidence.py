"""What every kind of evidence keeps to, whatever it judges by."""

import copy

import pytest
import torch

from rcae.base.settings import load_settings
from rcae.model.evidence.evidence import FOLDS
from rcae.model.system import RcaeSystem
from tests.conftest import TINY

EVERY_KIND = [*TINY, "model.recursion_distance=true"]
KINDS = range(5)


@pytest.fixture(scope="module")
def system():
    torch.manual_seed(0)
    return RcaeSystem(load_settings("quick", values=EVERY_KIND).model).eval()


@pytest.fixture(scope="module")
def sights(system):
    """What the networks see of some images; each is of another brightness."""
    images = torch.rand(6, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return [system.sight(image[None] * (0.5 + 0.1 * n)) for n, image in enumerate(images)]


@pytest.fixture(params=KINDS)
def kind_and_features(request, system, sights):
    kind = copy.deepcopy(system.kinds[request.param])
    with torch.inference_mode():
        return kind, [kind.features(sight).clone() for sight in sights]


def fitted(kind, features, folds=range(FOLDS)):
    fresh = copy.deepcopy(kind)
    fresh.forget()
    for place, one in enumerate(features):
        if place % FOLDS in folds:
            fresh.learn(one, place % FOLDS)
    fresh.settle()
    return fresh


def assert_same(one, other):
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_these_are_all_kinds(system):
    assert len(system.kinds) == len(KINDS)
    assert len({type(kind).__name__ for kind in system.kinds}) == 3


def test_the_map_has_one_value_for_each_cell_of_the_features(kind_and_features):
    kind, features = kind_and_features
    judged = fitted(kind, features)(torch.cat(features[:2]))
    assert judged.shape == (2, *features[0].shape[2:])
    assert judged.shape[1:] == (-(-64 // kind.cell_px), -(-96 // kind.cell_px))
    assert judged.isfinite().all()


@pytest.mark.parametrize("fold", range(FOLDS))
def test_settled_without_a_fold_its_own_features_do_not_count(kind_and_features, fold):
    kind, features = kind_and_features
    whole = fitted(kind, features)
    without = copy.deepcopy(whole)
    without.settle(without=fold)
    assert_same(without, fitted(kind, features, {*range(FOLDS)} - {fold}))
    assert not torch.equal(without.mean, whole.mean)


def test_settled_again_with_all_folds_every_feature_counts_again(kind_and_features):
    kind, features = kind_and_features
    again = fitted(kind, features)
    again.settle(without=1)
    again.settle()
    assert_same(again, fitted(kind, features))


def test_what_is_settled_outlives_what_was_remembered_and_new_images_start_anew(kind_and_features):
    kind, features = kind_and_features
    settled = fitted(kind, features[:1])
    before = copy.deepcopy(settled)
    settled.forget()
    assert_same(settled, before)
    settled.learn(features[1], 0)
    settled.settle()
    assert_same(settled, fitted(kind, features[1:2]))
