"""Sum of all evidence as one anomaly map, each kind in units of its usual range on good images."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.base.arrays import Numbers
from rcae.model.evidence.evidence import averaged

WIDE_PX = 20
"""Approximate side of the square whose mean counts as evidence a second time (our choice).

A wider square ranks large defects better still, but loses more of the smallest defects.
"""
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

        A weight is proportional to the square of 2 * AUROC - 1, and 0 where a map tells nothing (our choice).
        All weights are 1 if no map tells anything.

        Args:
            good: peaks of good images that no map has learnt, [image, map].
            painted: peaks of the same images with anomalies, [image, map].

        Returns:
            [map], 0..1.
        """
        # The chance that an anomalous peak is higher than a good one; half of it where both are equal.
        higher = np.sign(painted[:, None] - good[None]) / 2 + 0.5
        auroc: Numbers = higher.mean(axis=(0, 1))
        trust = np.maximum(2 * auroc - 1, 0) ** 2
        weight = trust / trust.mean() if trust.any() else np.ones_like(trust)
        self.weight.copy_(torch.from_numpy(weight))
        return auroc


def peaks_of(maps: Sequence[Tensor]) -> Tensor:
    """Return the largest value of each map in each image, [batch, map]."""
    return torch.stack([one.amax(dim=(1, 2)) for one in maps], dim=1)


def wide(cells: Tensor, cell_px: int) -> Tensor:
    """Average a map in cells over a square with a side of about `WIDE_PX`.

    A speck of dust has a sharp peak and nothing around it; most defects are larger. Evidence thus counts
    near and wide (our choice). Good images have specks, too, which would decide if the largest value
    counted alone. A mean over so many pixels costs next to nothing in cells.

    Args:
        cells: [batch, row, column].
        cell_px: Side of the square of pixels that a cell stands for.
    """
    return averaged(cells[:, None], _cells_wide(cell_px))[:, 0]


def is_seen_wide(cell_px: int) -> bool:
    """Tell whether `wide` changes a map: a cell may be as large as the square itself."""
    return _cells_wide(cell_px) > 1


def _cells_wide(cell_px: int) -> int:
    return 2 * (WIDE_PX // (2 * cell_px)) + 1
