"""CRD: reads how the whole sequence disagrees with the image, and draws the anomaly map."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.model.blocks import ConvolutionalAutoencoder, layer

STEM_WIDTHS = (8, 16, 32)
"""Channels of the 2D stem at full, half and quarter resolution."""


class CrossRecursionDetection(nn.Module):
    """The cross recursion detection of the paper: a 3D autoencoder over space and recursion step.

    Our choices: the pair I_D^n concat I enters as I_D^n - I and I, each channel normalised over the
    batch (the same information; differences are small, and this way they are seen from the first
    step on). 3D convolutions at full resolution would cost more than everything else together: a 2D
    stem, the same for every step, goes down to 1 / `fold` of the height and width, where the 3D
    autoencoder works. On the way back to full size, each stem level joins in through a convolution
    over all steps at once (a skip connection), so that thin defects keep their place. Batch
    normalisation; a sigmoid at the end, which starts near the empty map.
    """

    def __init__(self, step_count: int, widths: Sequence[int], fold: int) -> None:
        super().__init__()
        stem_widths = STEM_WIDTHS[: fold.bit_length()]  # full size, then one per halving
        self.normalise = nn.BatchNorm2d(6, affine=False)
        self.stem = nn.ModuleList(
            layer(source, width, dimensions=2, stride=1 if level == 0 else 2, normalise=True)
            for level, (source, width) in enumerate(
                zip((6, *stem_widths), stem_widths, strict=False)
            )
        )
        self.network = ConvolutionalAutoencoder(
            stem_widths[-1], stem_widths[-1], widths, dimensions=3, normalise=True
        )
        self.across_steps = nn.ModuleList(
            nn.Conv3d(width, width, kernel_size=(step_count, 1, 1)) for width in stem_widths
        )
        self.up = nn.ModuleList(
            layer(fine + coarse, fine, dimensions=2, normalise=True)
            for coarse, fine in zip(stem_widths[:0:-1], stem_widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(stem_widths[0], 1, kernel_size=3, padding=1)
        nn.init.constant_(self.head.bias, -2.0)  # type: ignore[arg-type]

    def forward(self, sequence: Tensor, image: Tensor) -> Tensor:
        """The anomaly map M_A.

        Args:
            sequence: I_D^n for every n used, [batch, step, 3, height, width]; height and width are
                multiples of `fold`.
            image: I, [batch, 3, height, width].

        Returns:
            [batch, height, width]: 0..1, near 0 where normal, near 1 where anomalous.
        """
        images = image[:, None].expand_as(sequence)
        pairs = torch.cat([sequence - images, images], dim=2)  # [batch, step, 6, height, width]
        features = self.normalise(pairs.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        levels = []  # [batch, width, step, h, w], from full size down
        for down in self.stem:
            features = down(features)
            levels.append(features.view(*sequence.shape[:2], *features.shape[1:]).transpose(1, 2))
        levels[-1] = self.network(levels[-1].contiguous())
        planes = [
            collapse(level)[:, :, 0]
            for collapse, level in zip(self.across_steps, levels, strict=True)
        ]
        plane = planes.pop()
        for up in self.up:
            fine = planes.pop()
            plane = functional.interpolate(plane, size=fine.shape[2:], mode="nearest")
            plane = up(torch.cat([plane, fine], dim=1))
        anomaly_map: Tensor = self.head(plane)[:, 0].sigmoid()
        return anomaly_map
