import numpy as np
import pytest
import torch

from rcae.model.evidence.fusion import peaks_of
from rcae.model.memory_system import MemorySystem


def textures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return [0.5 + 0.05 * torch.randn(1, 3, 192, 256, generator=generator) for _ in range(count)]


@pytest.fixture(scope="module")
def system():
    system = MemorySystem()
    system.fit(textures(6, seed=0), seed=0)
    return system


def test_a_plain_mark_is_found_where_it_is_and_good_images_stay_below(system):
    good, marked = textures(3, seed=1), textures(1, seed=2)[0]
    marked[:, :, 48:80, 176:208] = 0.1
    with torch.no_grad():
        maps = [system(image)[0] for image in good]
        found = system(marked)[0]
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


def test_what_is_usual_is_measured_without_an_images_own_patches(system):
    with torch.no_grad():
        features = [system._features(image) for image in textures(6, seed=0)]
        peaks = [
            peaks_of(
                [memory(one[scale], without=number) for scale, memory in enumerate(system.memories)]
            )[0].numpy()
            for number, one in enumerate(features)
        ]
    np.testing.assert_allclose(system.fusion.usual, np.median(peaks, axis=0), rtol=1e-5)


def test_the_same_seed_remembers_the_same_patches(system):
    again = MemorySystem()
    again.fit(textures(6, seed=0), seed=0)
    for name, tensor in system.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
