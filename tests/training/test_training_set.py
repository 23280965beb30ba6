import numpy as np
import pytest
import torch

from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.model.system import RcaeSystem
from rcae.training.training_set import TrainingSet, extended
from tests.conftest import TINY


@pytest.fixture
def images(parts):
    return TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))


def test_an_epoch_shows_every_image_once(images):
    for first in (0, 16, 160):
        assert sorted(images.order(first, 16, [0, 0])) == list(range(16))
    across = images.order(10, 12, [0, 0])
    assert across == images.order(0, 32, [0, 0])[10:22]
    assert images.order(0, 16, [0, 0]) != images.order(16, 16, [0, 0])


def test_a_window_is_a_part_of_the_image(images):
    random = np.random.default_rng(0)
    whole = images.image(0)
    window = images.window(0, 32, 8, random)
    places = [
        (top, left)
        for top in range(whole.shape[0] - 31)
        for left in range(whole.shape[1] - 31)
        if np.array_equal(whole[top : top + 32, left : left + 32], window)
    ]
    assert len(places) == 1


def test_windows_reach_as_far_beyond_the_image_as_prediction_does(images):
    random = np.random.default_rng(0)
    whole = images.image(0)  # 40 x 40, seen by networks that need multiples of 64 as 64 x 64
    heights = {images.window(0, 32, 64, random).shape[0] for _ in range(400)}
    assert (min(heights), max(heights)) == (8, 32)
    assert np.array_equal(images.window(0, 64, 64, random), whole)
    assert {images.window(0, 32, 8, random).shape[0] for _ in range(50)} == {32}


def test_extending_a_window_repeats_its_lower_and_right_edges_as_prediction_does(images):
    values = [*TINY, "training.crop_px=64", "model.recursion_depth=5"]
    system = RcaeSystem(load_settings("quick", values=values).model)
    whole = images.image(0)
    as_predicted = system.pad(torch.from_numpy(whole).permute(2, 0, 1)[None])
    ours = torch.from_numpy(extended(whole, 64)).permute(2, 0, 1)[None]
    assert torch.equal(ours, as_predicted)
    mask = np.zeros((3, 2), dtype=np.bool_)
    mask[2, 1] = True
    assert extended(mask, 4).tolist() == [
        [False] * 4,
        [False] * 4,
        [False, True, True, True],
        [False, True, True, True],
    ]


def test_the_border_is_seen_as_often_as_the_middle(parts):
    images = TrainingSet([parts / "train" / "good" / "000.png"], WorkingView(1.0))
    whole, random = images.image(0), np.random.default_rng(0)
    windows = [images.window(0, 32, 8, random) for _ in range(400)]
    first = [np.array_equal(window[0, 0], whole[0, 0]) for window in windows]
    last = [np.array_equal(window[-1, -1], whole[-1, -1]) for window in windows]
    assert 0.1 < np.mean(first) < 0.4  # each border in about two fifths of the windows
    assert 0.1 < np.mean(last) < 0.4
