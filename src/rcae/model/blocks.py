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
    batch normalisation only where asked for.
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
            layer(
                deep + (shallow if skip_connections else 0),
                shallow,
                dimensions,
                normalise=normalise,
            )
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
            features = functional.interpolate(features, size=skipped.shape[2:], mode="nearest")
            if self.skip_connections:
                features = torch.cat([features, skipped], dim=1)
            features = step(features)
            levels.append(features)
        return levels


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
