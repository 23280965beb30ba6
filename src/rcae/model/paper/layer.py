"""The layer that every network is made of: a convolution, normalised if asked for, and its activation."""

from torch import nn


def layer(
    in_channels: int, out_channels: int, dimensions: int, *, stride: int = 1, normalise: bool
) -> nn.Sequential:
    """Convolution, batch normalisation with `normalise`, and LeakyReLU with slope 0.1 (our choice).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        dimensions: 2 for [batch, channel, height, width], 3 for [batch, channel, step, height, width].
        stride: 1, or 2 to halve height and width, rounded up.
        normalise: adds batch normalisation, and leaves out the bias of the convolution.

    Returns:
        Two or three modules; the first is the convolution.
    """
    layers: list[nn.Module] = [
        convolution(in_channels, out_channels, dimensions, stride=stride, bias=not normalise)
    ]
    if normalise:
        layers.append({2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dimensions](out_channels))
    layers.append(nn.LeakyReLU(0.1, inplace=True))
    return nn.Sequential(*layers)


def convolution(
    in_channels: int, out_channels: int, dimensions: int, *, stride: int = 1, bias: bool = True
) -> nn.Conv2d | nn.Conv3d:
    """3x3 over height and width, in 3D also 3 over the recursion step; strides spare the step."""
    if dimensions == 2:
        return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=bias)
    strides = (1, stride, stride)
    return nn.Conv3d(in_channels, out_channels, 3, stride=strides, padding=1, bias=bias)
