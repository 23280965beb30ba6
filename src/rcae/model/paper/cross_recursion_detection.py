"""CRD: reads how the whole sequence disagrees with the image, and draws the anomaly map."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from rcae.model.paper.blocks import ConvolutionalAutoencoder

EMPTY_START = -2.0
"""First value before the sigmoid: the map starts at about 0.12 everywhere."""


class CrossRecursionDetection(nn.Module):
    """The cross recursion detection of the paper: convolutions see space and recursion step together.

    The pair I_D^n concat I enters as I_D^n - I and I, each channel normalised over the batch (our choice).
    The information is the same; differences are small, and are seen this way from the first step on.
    Every layer has batch normalisation, and a sigmoid ends the network near the empty map (our choices).

    `dimensions` = 3 is the paper's 3D autoencoder, which keeps the recursion axis to the end. One convolution
    over all steps then draws the map. `dimensions` = 2 spans all steps in the first convolution, and a CPU is
    many times faster at it (our choice). A 3D kernel as deep as its input equals a 2D one on the stacked
    steps; the layers behind it are 2D.
    """

    def __init__(
        self,
        image_channels: int,
        step_count: int,
        widths: Sequence[int],
        map_channels: int,
        dimensions: Literal[2, 3],
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        if dimensions == 3:
            pair_channels = 2 * image_channels
            self.normalise: nn.Module = nn.BatchNorm3d(pair_channels, affine=False)
            self.network = ConvolutionalAutoencoder(
                pair_channels, widths[0], widths, dimensions=3, normalise=True
            )
            self.across_steps = nn.Conv3d(widths[0], map_channels, kernel_size=(step_count, 1, 1))
            head: nn.Conv2d | nn.Conv3d = self.across_steps
        else:
            stacked_channels = (step_count + 1) * image_channels
            self.normalise = nn.BatchNorm2d(stacked_channels, affine=False)
            self.network = ConvolutionalAutoencoder(
                stacked_channels, map_channels, widths, normalise=True
            )
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            head = self.network.head
        nn.init.constant_(head.bias, EMPTY_START)  # type: ignore[arg-type]

    def forward(self, sequence: Tensor, image: Tensor) -> Tensor:
        """The anomaly map M_A.

        Args:
            sequence: I_D^n for every n used, [batch, step, channel, height, width].
            image: I, [batch, channel, height, width].

        Returns:
            [batch, map_channels, height, width]: 0..1, near 0 where normal, near 1 where anomalous.
        """
        return self.map_of(self.features(sequence, image))

    def features(self, sequence: Tensor, image: Tensor) -> list[Tensor]:
        """The features of the network's decoder, level by level, coarse to fine.

        Arguments as in `forward`; each result is [batch, channel, (step,) height / 2^k, width / 2^k].
        """
        differences = sequence - image[:, None]
        if self.dimensions == 3:
            images = image[:, None].expand_as(sequence)
            pairs = torch.cat([differences, images], dim=2).transpose(1, 2)
            # [batch, 2 * channel, step, height, width]
            return self.network.decoded(self.normalise(pairs.contiguous()))
        stacked = torch.cat([image, *differences.unbind(dim=1)], dim=1)
        return self.network.decoded(self.normalise(stacked))

    def map_of(self, features: Sequence[Tensor]) -> Tensor:
        """The anomaly map M_A, as `forward` returns it, from what `features` returned."""
        drawn: Tensor = self.network.head(features[-1])
        if self.dimensions == 3:
            drawn = self.across_steps(drawn)[:, :, 0]
        if drawn.dtype == torch.bfloat16:  # its sigmoid of 6 is 1, with no slope to learn from
            drawn = drawn.float()
        return torch.sigmoid(drawn)
