"""CRD: reads how the whole sequence disagrees with the image, and draws the anomaly map."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.blocks import ConvolutionalAutoencoder


class CrossRecursionDetection(nn.Module):
    """The cross recursion detection of the paper: a 3D autoencoder over space and recursion step.

    Our choices: a stem folds each 2x2 block of pixels into channels (four times fewer positions for
    the 3D convolutions, no pixel lost); batch normalisation; after the 3D autoencoder a convolution
    over all steps at once gives one plane, unfolded to full size; no final squashing, so scores keep
    their order far from 0 and 1.
    """

    FOLD = 2

    def __init__(self, step_count: int, widths: Sequence[int]) -> None:
        super().__init__()
        pair_channels = 6 * self.FOLD**2  # (I_D^n concat I), folded
        self.network = ConvolutionalAutoencoder(
            pair_channels, widths[0], widths, dimensions=3, normalise=True
        )
        self.across_steps = nn.Conv3d(widths[0], self.FOLD**2, kernel_size=(step_count, 1, 1))

    def forward(self, sequence: Tensor, image: Tensor) -> Tensor:
        """The anomaly map M_A.

        Args:
            sequence: I_D^n for every n used, [batch, step, 3, height, width]; even height and width.
            image: I, [batch, 3, height, width].

        Returns:
            [batch, height, width]: near 0 where normal, near 1 where anomalous, unbounded.
        """
        pairs = torch.cat([sequence, image[:, None].expand_as(sequence)], dim=2)
        folded = functional.pixel_unshuffle(pairs, self.FOLD)  # [batch, step, 24, height/2, width/2]
        features = self.network(folded.transpose(1, 2))  # [batch, width, step, height/2, width/2]
        folded_map = self.across_steps(functional.leaky_relu(features, 0.1))[:, :, 0]
        anomaly_map: Tensor = functional.pixel_shuffle(folded_map, self.FOLD)[:, 0]
        return anomaly_map
