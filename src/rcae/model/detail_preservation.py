"""DPN: puts back the fine texture that recursion loses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rcae.gradient import spatial_gradient
from rcae.model.blocks import ConvolutionalAutoencoder


class DetailPreservationNetwork(nn.Module):
    """The detail preservation network of the paper: I_D^n = I_R^n + DPN(I_R^n concat I')."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.network = ConvolutionalAutoencoder(3 + 6, 3, widths)  # I_R^n: 3 channels, I': 6

    def forward(self, reconstructions: Tensor, image: Tensor) -> Tensor:
        """I_D^n for every n given.

        Args:
            reconstructions: I_R^n, [batch, step, 3, height, width].
            image: I, [batch, 3, height, width].

        Returns:
            [batch, step, 3, height, width]
        """
        gradient = spatial_gradient(image)[:, None].expand(-1, reconstructions.shape[1], -1, -1, -1)
        inputs = torch.cat([reconstructions, gradient], dim=2)
        residual = self.network(inputs.flatten(0, 1)).unflatten(0, reconstructions.shape[:2])
        return reconstructions + residual
