"""The one building block of all three networks: a small convolutional autoencoder, in 2D or 3D."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvolutionalAutoencoder(nn.Module):
    """Encoder and decoder of a few levels, joined by skip connections if wanted.

    Level k works at 1/2^k of the height and width with `widths[k]` channels. In 3D the recursion
    step is never down-sampled: strides act on height and width alone. Any height and width is
    accepted: each decoder level returns to the exact size of its encoder level.

    Our choices: LeakyReLU, nearest-neighbour up-sampling followed by a convolution (no checkerboard),
    batch normalisation only where asked for. Here and in the networks made of it, sums and activations
    are written over what a convolution has just returned (on a CPU fresh memory costs more than the sum),
    and what `add_` returns is used: an export does not see that a view has changed.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        *,
        dimensions: int = 2,
        skip_connections: bool = True,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.skip_connections = skip_connections
        incoming = [in_channels, *widths[:-1]]
        self.down = nn.ModuleList(
            layer(source, width, dimensions, stride=1 if level == 0 else 2, normalise=normalise)
            for level, (source, width) in enumerate(zip(incoming, widths, strict=True))
        )
        self.bottom = layer(widths[-1], widths[-1], dimensions, normalise=normalise)
        self.up = nn.ModuleList(
            UpLayer(deep, shallow, dimensions, joins=skip_connections, normalise=normalise)
            for shallow, deep in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.head = _convolution(widths[0], out_channels, dimensions)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, in_channels, (step,) height, width] -> [batch, out_channels, (step,) height, width]."""
        output: Tensor = self.head(self.decoded(features)[-1])
        return output

    def decoded(self, features: Tensor) -> list[Tensor]:
        """What the decoder makes of the input at each of its levels, coarse to fine, before the head."""
        encoded = []
        for step in self.down:
            features = step(features)
            encoded.append(features)
        features = self.bottom(features)
        levels = []
        for step, skipped in zip(self.up, encoded[-2::-1], strict=True):
            features = step(features, skipped)
            levels.append(features)
        return levels


class UpLayer(nn.Module):
    """Deep features doubled in height and width, joined to the shallow ones, and a layer on both.

    A 3x3 convolution of a doubled image is a transposed 4x4 convolution of the image with stride 2: 4
    products for each pixel instead of 9, and neither the doubled features nor the joined ones are ever
    written to memory. Below and to the right of an odd height or width the doubled features go on;
    elsewhere zeros lie beyond the edge.
    """

    sums: Tensor

    def __init__(
        self, deep: int, shallow: int, dimensions: int, *, joins: bool, normalise: bool
    ) -> None:
        super().__init__()
        self.deep = deep
        self.joins = joins
        incoming = deep + (shallow if joins else 0)
        self.convolution, *finish = layer(incoming, shallow, dimensions, normalise=normalise)
        self.finish = nn.Sequential(*finish)
        self.register_buffer("sums", _sums_of_weights(), persistent=False)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """[batch, deep, (step,) height / 2, width / 2] -> [batch, shallow, (step,) height, width].

        `shallow`, [batch, shallow, (step,) height, width], gives the size, and is joined if asked for.
        """
        activated: Tensor = self.finish(doubled_and_joined(deep, shallow, *self.weights()))
        return activated

    def weights(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What `doubled_and_joined` convolves with, made of the layer's own 3x3 weights."""
        weight, bias = self.convolution.weight, self.convolution.bias
        assert isinstance(weight, Tensor)
        of_doubled = weight[:, : self.deep]
        summed = of_doubled.reshape(-1, 9) @ self.sums  # one product, not one for each channel
        of_deep = summed.view(*of_doubled.shape[:-2], 4, 4).transpose(0, 1)
        if of_deep.dim() == 5:
            of_deep = of_deep.flip(
                2
            )  # a transposed convolution meets the steps the other way round
        of_shallow = weight[:, self.deep :] if self.joins else None
        return of_deep, of_shallow, bias if isinstance(bias, Tensor) else None


def doubled_and_joined(
    deep: Tensor, shallow: Tensor, of_deep: Tensor, of_shallow: Tensor | None, bias: Tensor | None
) -> Tensor:
    """Double deep features to the size of the shallow ones, and add both, convolved.

    Args:
        deep: [batch, deep, (step,) height / 2, width / 2].
        shallow: [batch, shallow, (step,) height, width].
        of_deep: [deep, out, (3,) 4, 4].
        of_shallow: [out, shallow, (3,) 3, 3]; None if only their size counts.
        bias: [out].

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


def _convolution(
    in_channels: int, out_channels: int, dimensions: int, *, stride: int = 1, bias: bool = True
) -> nn.Conv2d | nn.Conv3d:
    """3x3 over height and width, and 3 over the recursion step in 3D; strides spare the step."""
    if dimensions == 2:
        return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=bias)
    strides = (1, stride, stride)
    return nn.Conv3d(in_channels, out_channels, 3, stride=strides, padding=1, bias=bias)


def layer(
    in_channels: int, out_channels: int, dimensions: int, *, stride: int = 1, normalise: bool
) -> nn.Sequential:
    """A convolution, normalised if asked for, and its activation."""
    layers: list[nn.Module] = [
        _convolution(in_channels, out_channels, dimensions, stride=stride, bias=not normalise)
    ]
    if normalise:
        layers.append({2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dimensions](out_channels))
    layers.append(nn.LeakyReLU(0.1, inplace=True))
    return nn.Sequential(*layers)
