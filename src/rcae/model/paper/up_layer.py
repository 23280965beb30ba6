"""The layer that leads one level up in a decoder: its plain form, and the fused one that the networks use."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.paper.layer import layer


class PlainUpLayer(nn.Module):
    """Deep features doubled in height and width, joined to the shallow ones, and a layer on both.

    The convolution comes before the crop. It thus sees the doubled features go on beyond an odd height or
    width, and zeros in place of the shallow ones.
    """

    def __init__(
        self, deep: int, shallow: int, dimensions: int, *, joins: bool, normalise: bool
    ) -> None:
        super().__init__()
        self.deep = deep
        self.joins = joins
        incoming = deep + (shallow if joins else 0)
        self.convolution, *finish = layer(incoming, shallow, dimensions, normalise=normalise)
        self.finish = nn.Sequential(*finish)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Features of the next finer level.

        Args:
            deep: [batch, deep, (step,) height / 2, width / 2], odd sizes rounded up.
            shallow: [batch, shallow, (step,) height, width]; without `joins` only its size counts.

        Returns:
            [batch, shallow, (step,) height, width]
        """
        height, width = shallow.shape[-2:]
        scale = (2.0, 2.0) if deep.dim() == 4 else (1.0, 2.0, 2.0)
        features = functional.interpolate(deep, scale_factor=scale, mode="nearest")
        if self.joins:
            below, right = features.shape[-2] - height, features.shape[-1] - width
            extended = functional.pad(shallow, (0, right, 0, below))
            features = torch.cat([features, extended], dim=1)
        activated: Tensor = self.finish(self.convolution(features)[..., :height, :width])
        return activated


class UpLayer(PlainUpLayer):
    """The plain layer with the same weights, fused: fewer products, and no doubled or joined copy.

    A 3x3 convolution of a doubled image is a transposed 4x4 convolution of the image with stride 2. It
    takes 4 products for each pixel instead of 9.
    """

    sums: Tensor

    def __init__(
        self, deep: int, shallow: int, dimensions: int, *, joins: bool, normalise: bool
    ) -> None:
        super().__init__(deep, shallow, dimensions, joins=joins, normalise=normalise)
        self.register_buffer("sums", _sums_of_weights(), persistent=False)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Arguments and result as in `PlainUpLayer.forward`."""
        activated: Tensor = self.finish(doubled_and_joined(deep, shallow, *self.weights()))
        return activated

    def weights(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """`of_deep`, `of_shallow` and `bias` of `doubled_and_joined`, made of the layer's 3x3 weights."""
        weight, bias = self.convolution.weight, self.convolution.bias
        assert isinstance(weight, Tensor)
        of_doubled = weight[:, : self.deep]
        summed = of_doubled.reshape(-1, 9) @ self.sums  # one product, not one for each channel
        of_deep = summed.view(*of_doubled.shape[:-2], 4, 4).transpose(0, 1)
        if of_deep.dim() == 5:  # a transposed convolution meets the steps the other way round
            of_deep = of_deep.flip(2)
        of_shallow = weight[:, self.deep :] if self.joins else None
        return of_deep, of_shallow, bias if isinstance(bias, Tensor) else None


def doubled_and_joined(
    deep: Tensor, shallow: Tensor, of_deep: Tensor, of_shallow: Tensor | None, bias: Tensor | None
) -> Tensor:
    """Double deep features to the size of the shallow ones, and add both, convolved.

    Args:
        deep: [batch, deep, (step,) height / 2, width / 2], odd sizes rounded up.
        shallow: [batch, shallow, (step,) height, width].
        of_deep: [deep, out, (3,) 4, 4].
        of_shallow: [out, shallow, (3,) 3, 3]; None if only their size counts.
        bias: [out], or None.

    Returns:
        [batch, out, (step,) height, width]
    """
    if deep.dim() == 4:
        doubled = functional.conv_transpose2d(deep, of_deep, bias, stride=2, padding=1)
    else:
        doubled = functional.conv_transpose3d(deep, of_deep, bias, stride=(1, 2, 2), padding=1)
    inside = doubled[..., : shallow.shape[-2], : shallow.shape[-1]]
    if of_shallow is None:
        return inside
    convolve = functional.conv2d if deep.dim() == 4 else functional.conv3d
    return convolve(shallow, of_shallow, padding=1).add_(inside)


def _sums_of_weights() -> Tensor:
    """[9, 16]: which of the 3x3 weights for a doubled image add up to each of 4x4 transposed ones."""
    one_axis = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    return torch.einsum("kt,lu->kltu", one_axis, one_axis).reshape(9, 16)
