"""The fused layer against its plain form."""

import pytest
import torch

from rcae.model.paper.up_layer import PlainUpLayer, UpLayer


def pair(dimensions, *, joins, normalise):
    """Both forms with the same weights, in float64."""
    torch.manual_seed(0)
    forms = [
        form(6, 4, dimensions, joins=joins, normalise=normalise).double()
        for form in (PlainUpLayer, UpLayer)
    ]
    forms[1].load_state_dict(forms[0].state_dict())
    return forms


def features(dimensions, size):
    steps = (5,) if dimensions == 3 else ()
    half = [(length + 1) // 2 for length in size]
    deep = torch.randn(2, 6, *steps, *half, dtype=torch.float64, requires_grad=True)
    return deep, torch.randn(2, 4, *steps, *size, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5), (7, 5), (1, 1), (2, 1)])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_fused_layer_computes_what_the_plain_one_does(dimensions, size, normalise, joins):
    plain, fused = (form.eval() for form in pair(dimensions, joins=joins, normalise=normalise))
    deep, shallow = features(dimensions, size)
    expected = plain(deep, shallow)
    assert expected.shape == shallow.shape
    torch.testing.assert_close(fused(deep, shallow), expected)


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_fused_layer_learns_as_the_plain_one_does(dimensions, joins):
    deep, shallow = features(dimensions, (7, 6))
    leaves = [deep, shallow] if joins else [deep]
    expected, ours = (
        torch.autograd.grad(form(deep, shallow).square().sum(), [*leaves, *form.parameters()])
        for form in pair(dimensions, joins=joins, normalise=True)
    )
    torch.testing.assert_close(ours, expected)


def test_the_plain_layer_doubles_joins_and_convolves():
    layer = PlainUpLayer(1, 1, 2, joins=True, normalise=False)
    torch.nn.init.ones_(layer.convolution.weight)
    torch.nn.init.zeros_(layer.convolution.bias)
    deep, shallow = torch.tensor([[[[1.0, 2.0]]]]), torch.full((1, 1, 1, 3), 10.0)
    # Doubled: 1 1 2 2, twice; a 3x3 window sums it up, beyond the odd height and width as well.
    doubled = torch.tensor([2 * (1 + 1), 2 * (1 + 1 + 2), 2 * (1 + 2 + 2)])
    joined = torch.tensor([10 + 10, 10 + 10 + 10, 10 + 10])
    torch.testing.assert_close(layer(deep, shallow)[0, 0, 0], (doubled + joined).float())
