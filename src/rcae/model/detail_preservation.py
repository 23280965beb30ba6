"""DPN: puts back the fine texture that recursion loses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rcae.model.blocks import ConvolutionalAutoencoder


class DetailPreservationNetwork(nn.Module):
    """The detail preservation network of the paper: I_D^n = I_R^n + DPN(I_R^n concat I')."""

    def __init__(self, image_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        gradient_channels = 2 * image_channels
        self.network = ConvolutionalAutoencoder(
            image_channels + gradient_channels, image_channels, widths
        )

    def forward(self, reconstructions: Tensor, gradient: Tensor) -> Tensor:
        """I_D^n for every n given.

        Args:
            reconstructions: I_R^n, [batch, step, channel, height, width].
            gradient: I', [batch, 2 * channel, height, width].

        Returns:
            [batch, step, channel, height, width]
        """
        step_count = reconstructions.shape[1]
        by_step = reconstructions.transpose(0, 1)  # as the sequence lies in memory
        inputs = torch.cat([by_step.flatten(0, 1), gradient.repeat(step_count, 1, 1, 1)], dim=1)
        residual = self.network(inputs.contiguous(memory_format=torch.channels_last))
        refined: Tensor = reconstructions + residual.view_as(by_step).transpose(0, 1)
        return refined
