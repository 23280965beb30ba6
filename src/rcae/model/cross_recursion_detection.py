"""CRD: reads how the whole sequence disagrees with the image, and draws the anomaly map."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.blocks import ConvolutionalAutoencoder


class CrossRecursionDetection(nn.Module):
    """The cross recursion detection of the paper: a 3D autoencoder over space and recursion step.

    Our choices: the pair I_D^n concat I enters as I_D^n - I and I, each channel normalised over the
    batch (the same information; differences are small, and this way they are seen from the first
    step on); a stem folds each `fold` x `fold` block of pixels into channels (fewer positions for the
    3D convolutions, no pixel lost); batch normalisation; after the 3D autoencoder a convolution over
    all steps at once gives one plane, unfolded to full size; no final squashing, so scores keep
    their order far from 0 and 1.
    """

    def __init__(self, step_count: int, widths: Sequence[int], fold: int) -> None:
        super().__init__()
        self.fold = fold
        self.normalise = nn.BatchNorm3d(6, affine=False)
        self.network = ConvolutionalAutoencoder(
            6 * fold**2, widths[0], widths, dimensions=3, normalise=True
        )
        self.across_steps = nn.Conv3d(widths[0], fold**2, kernel_size=(step_count, 1, 1))

    def forward(self, sequence: Tensor, image: Tensor) -> Tensor:
        """The anomaly map M_A.

        Args:
            sequence: I_D^n for every n used, [batch, step, 3, height, width]; height and width are
                multiples of `fold`.
            image: I, [batch, 3, height, width].

        Returns:
            [batch, height, width]: near 0 where normal, near 1 where anomalous, unbounded.
        """
        images = image[:, None].expand_as(sequence)
        pairs = torch.cat([sequence - images, images], dim=2)  # [batch, step, 6, height, width]
        pairs = self.normalise(pairs.transpose(1, 2)).transpose(1, 2)
        folded = functional.pixel_unshuffle(pairs, self.fold)  # [batch, step, 6 fold^2, h, w]
        features = self.network(folded.transpose(1, 2))  # [batch, width, step, h, w]
        folded_map = self.across_steps(functional.leaky_relu(features, 0.1))[:, :, 0]
        anomaly_map: Tensor = functional.pixel_shuffle(folded_map, self.fold)[:, 0]
        return anomaly_map
