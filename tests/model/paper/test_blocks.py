import pytest
import torch

from rcae.model.paper.blocks import ConvolutionalAutoencoder


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 1)])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_block_returns_the_size_that_it_gets_and_keeps_every_recursion_step(dimensions, size):
    block = ConvolutionalAutoencoder(3, 2, [4, 6, 8], dimensions=dimensions)
    steps = (5,) if dimensions == 3 else ()
    image = torch.rand(2, 3, *steps, *size)
    assert block(image).shape == (2, 2, *steps, *size)
    halves = tuple((length + 1) // 2 for length in size)
    assert [level.shape for level in block.decoded(image)] == [
        (2, 6, *steps, *halves),
        (2, 4, *steps, *size),
    ]


def test_without_skip_connections_the_shallow_features_do_not_reach_the_head():
    joined, plain = (
        ConvolutionalAutoencoder(3, 3, [4, 8], skip_connections=skips) for skips in (True, False)
    )
    assert joined.up[0].convolution.in_channels == 8 + 4
    assert plain.up[0].convolution.in_channels == 8
