import numpy as np
import pytest
import torch
from PIL import Image

from rcae.data.view.working_view import WorkingView
from rcae.detector.runners.torch_maps import as_batch
from rcae.model.evidence.evidence import FOLDS
from rcae.model.evidence.fusion import peaks_of
from rcae.model.memory_system import MemorySystem
from rcae.training.good_features import GoodFeatures
from rcae.training.training_set import TrainingSet


def textures(count, seed):
    random = np.random.default_rng(seed)
    return [random.normal(0.5, 0.05, (192, 256, 3)).astype(np.float32) for _ in range(count)]


HELD_OUT = textures(4, seed=3)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("textures")
    paths = [folder / f"{number}.png" for number in range(6)]
    for path, image in zip(paths, textures(6, seed=0), strict=True):
        Image.fromarray((255 * image).round().astype(np.uint8)).save(path)
    return TrainingSet(paths, WorkingView(1.0))


class Fitted:
    def __init__(self, images, held_out):
        self.system = MemorySystem()
        self.features = GoodFeatures(self.system, images, seed=0)
        self.records = self.features.learn(held_out)


@pytest.fixture(scope="module")
def fitted(images):
    return Fitted(images, HELD_OUT)


@pytest.fixture(scope="module")
def system(fitted):
    return fitted.system


def peaks(system, image):
    with torch.inference_mode():
        return peaks_of(system.evidence(as_batch(image, system)))[0].numpy()


def test_a_plain_mark_is_found_where_it_is_and_good_images_stay_below(system):
    good, marked = textures(3, seed=1), textures(1, seed=2)[0]
    marked[48:80, 176:208] = 0.1
    with torch.inference_mode():
        maps = [system(as_batch(image, system))[0] for image in good]
        found = system(as_batch(marked, system))[0]
    assert found.shape == (192, 256)
    assert found.max() > 3 * max(float(one.max()) for one in maps)
    row, column = divmod(int(found.argmax()), 256)
    assert 24 <= row < 104
    assert 152 <= column < 232


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 31)])
def test_every_image_size_has_a_map(system, size):
    with torch.no_grad():
        drawn = system(torch.rand(2, 3, *size))
    assert drawn.shape == (2, *size)
    assert drawn.isfinite().all()


def having_learnt(images, places):
    system = MemorySystem()
    for place in places:
        sight = system.sight(as_batch(images.image(place), system))
        for kind in system.kinds:
            kind.learn(kind.features(sight), place % FOLDS)
    for kind in system.kinds:
        kind.settle()
    return system


def test_every_training_image_is_judged_by_memories_that_have_not_learnt_it(images, fitted):
    judged, usual = [], []
    for places in fitted.features.in_folds():
        others = having_learnt(images, {*range(6)} - {*places})
        for place in places:
            judged.append(place)
            usual.append(peaks(fitted.system, images.image(place)))
            np.testing.assert_allclose(usual[-1], peaks(others, images.image(place)), rtol=1e-2)
    assert sorted(judged) == [*range(6)]
    usual += [peaks(fitted.system, image) for image in HELD_OUT]
    np.testing.assert_allclose(fitted.system.fusion.usual, np.median(usual, axis=0), rtol=1e-5)


def test_new_images_are_judged_by_memories_that_have_learnt_every_training_image(images, system):
    everything = having_learnt(images, range(6))
    for image in (*map(images.image, range(6)), *HELD_OUT):
        np.testing.assert_allclose(peaks(system, image), peaks(everything, image), atol=1e-3)


def test_the_record_names_every_map_and_how_much_it_counts(fitted):
    fusion = fitted.system.fusion
    assert [one.name for one in fitted.records] == ["memory", "memory 1/2", "memory 1/4"]
    assert [one.usual for one in fitted.records] == fusion.usual.tolist()
    assert [one.spread for one in fitted.records] == fusion.spread.tolist()
    assert [one.weight for one in fitted.records] == fusion.weight.tolist()
    assert all(0.5 < one.auroc <= 1 for one in fitted.records)


def test_without_held_out_images_every_map_counts_the_same(images):
    records = Fitted(images, []).records
    assert [(one.auroc, one.weight) for one in records] == [(None, 1.0)] * 3


def test_the_same_seed_remembers_the_same_patches(images, system):
    again = Fitted(images, HELD_OUT).system
    torch.testing.assert_close(again.state_dict(), system.state_dict(), rtol=0, atol=0)
