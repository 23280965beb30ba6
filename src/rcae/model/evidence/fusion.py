"""Sum of all evidence as one anomaly map, each kind in units of its usual range on good images."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.base.arrays import Numbers

LEAST_SPREAD = 1e-3
"""Least interquartile range of one kind's peaks, so that equal peaks cause no division by zero."""


class Fusion(nn.Module):
    """The weighted sum of several maps, each in units of its own peaks on good images (our choice).

    A map's peak is its largest value in an image. The median of its peaks on good images becomes 0, and
    one interquartile range above it becomes 1. No map then drowns the others in noise.

    A map counts as much as it can be trusted: by how well its peaks tell good images from the same images
    with painted anomalies. The weights are 1 in the mean, and the plain sum is the fallback.

    `usual`, `spread` and `weight` are [map], in the order of `cells_px`; they are 0, 1 and 1 until `fit`
    and `weigh`.
    """

    usual: Tensor
    spread: Tensor
    weight: Tensor

    def __init__(self, cells_px: Sequence[int]) -> None:
        """Take the side of the square of pixels that a cell of each map stands for; 1 for pixels."""
        super().__init__()
        self.cells_px = tuple(cells_px)
        self.register_buffer("usual", torch.zeros(len(self.cells_px)))
        self.register_buffer("spread", torch.ones(len(self.cells_px)))
        self.register_buffer("weight", torch.ones(len(self.cells_px)))

    def forward(self, maps: Sequence[Tensor], size_px: tuple[int, int]) -> Tensor:
        """Return the anomaly map, [batch, height, width]; it is mostly below 0 on good images.

        Args:
            maps: [batch, row, column] each, in the order of `cells_px`.
            size_px: Height and width of the image.
        """
        height, width = size_px
        total: Tensor | None = None
        for cell_px in sorted(set(self.cells_px)):
            which = [place for place, side in enumerate(self.cells_px) if side == cell_px]
            usual, share = (
                values[which, None, None] for values in (self.usual, self.weight / self.spread)
            )
            cells = torch.stack([maps[place] for place in which], dim=1)
            summed = ((cells - usual) * share).sum(dim=1, keepdim=True)
            if cell_px > 1:
                summed = functional.interpolate(summed, scale_factor=cell_px, mode="bilinear")
            enlarged = summed[:, 0, :height, :width]
            total = enlarged if total is None else total + enlarged
        assert total is not None
        return total

    def fit(self, peaks: Numbers) -> None:
        """Take median and interquartile range from the peaks of good images, [image, map]."""
        lower, usual, upper = np.quantile(peaks, (0.25, 0.5, 0.75), axis=0)
        self.usual.copy_(torch.from_numpy(usual))
        self.spread.copy_(torch.from_numpy(np.maximum(upper - lower, LEAST_SPREAD)))

    def weigh(self, good: Numbers, painted: Numbers) -> Numbers:
        """Set the weights from the peaks of held-out images, and return the AUROC of each map.

        A weight is proportional to 2 * AUROC - 1, and 0 where a map tells nothing (our choice). Its square
        trusts painted anomalies too much: some maps read networks that were trained on paint. All weights
        are 1 if no map tells anything.

        Args:
            good: peaks of good images that no map has learnt, [image, map].
            painted: peaks of the same images with anomalies, [image, map].

        Returns:
            [map], 0..1.
        """
        # The chance that an anomalous peak is higher than a good one; half of it where both are equal.
        higher = np.sign(painted[:, None] - good[None]) / 2 + 0.5
        auroc: Numbers = higher.mean(axis=(0, 1))
        trust = np.maximum(2 * auroc - 1, 0)
        weight = trust / trust.mean() if trust.any() else np.ones_like(trust)
        self.weight.copy_(torch.from_numpy(weight))
        return auroc


def peaks_of(maps: Sequence[Tensor]) -> Tensor:
    """Return the largest value of each map in each image, [batch, map]."""
    return torch.stack([one.amax(dim=(1, 2)) for one in maps], dim=1)
