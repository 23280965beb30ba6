"""The building block against its plain description."""

import pytest
import torch
from torch.nn import functional

from rcae.model.paper.blocks import UpLayer


def by_the_book(up, deep, shallow):
    """Double, join, convolve; the doubled features as they go on beyond the size of the shallow ones."""
    doubled = deep.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    height, width = shallow.shape[-2:]
    beyond = [doubled.shape[-1] - width, doubled.shape[-2] - height]
    padded = functional.pad(shallow, (0, beyond[0], 0, beyond[1]))
    joined = torch.cat([doubled, padded], dim=1) if up.joins else doubled
    return up.finish(up.convolution(joined))[..., :height, :width]


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5), (1, 1), (2, 1)])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_up_layer_is_doubling_joining_and_convolving(dimensions, size, normalise, joins):
    torch.manual_seed(0)
    up = UpLayer(6, 4, dimensions, joins=joins, normalise=normalise).double().eval()
    steps = (5,) if dimensions == 3 else ()
    half = [(length + 1) // 2 for length in size]
    deep = torch.randn(2, 6, *steps, *half, dtype=torch.float64)
    shallow = torch.randn(2, 4, *steps, *size, dtype=torch.float64)
    torch.testing.assert_close(up(deep, shallow), by_the_book(up, deep, shallow))


def test_an_up_layer_learns_as_the_plain_one_does():
    torch.manual_seed(0)
    up = UpLayer(6, 4, 2, joins=True, normalise=True).double()
    deep = torch.randn(2, 6, 4, 3, dtype=torch.float64, requires_grad=True)
    shallow = torch.randn(2, 4, 8, 6, dtype=torch.float64, requires_grad=True)
    leaves = [deep, shallow, *up.parameters()]
    ours, plain = (
        torch.autograd.grad(layer(deep, shallow).square().sum(), leaves)
        for layer in (up, lambda *features: by_the_book(up, *features))
    )
    torch.testing.assert_close(ours, plain)
