"""One anomaly map from all evidence, each kind in units of what is usual on good images."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rcae.base.arrays import Numbers
from rcae.model.evidence.evidence import averaged

WIDE_PX = 20
"""About the side of the square that evidence counts a second time as the mean of (our choice): wider
ranks large defects better still, and costs more of what finds the smallest."""
LEAST_SPREAD = 1e-3
"""Least interquartile range of one kind's peaks, so that equal ones are no division by zero."""


class Fusion(nn.Module):
    """The sum of several maps, each in units of its own peaks on good images (our choice).

    A map's peak is its largest value in an image. 0 is the median of its peaks on good images, 1 lies
    one interquartile range above. No map then drowns the others in noise.

    `usual` and `spread` are [map], in the order of `cells_px`; 0 and 1 until `fit`.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self, cells_px: Sequence[int]) -> None:
        """Take the side of the square of pixels that a cell of each map stands for; 1 for pixels."""
        super().__init__()
        self.cells_px = tuple(cells_px)
        self.register_buffer("usual", torch.zeros(len(self.cells_px)))
        self.register_buffer("spread", torch.ones(len(self.cells_px)))

    def forward(self, maps: Sequence[Tensor], size_px: tuple[int, int]) -> Tensor:
        """The anomaly map, [batch, height, width]; mostly below 0 on good images.

        Args:
            maps: [batch, row, column] each, in the order of `cells_px`.
            size_px: height and width of the image.
        """
        height, width = size_px
        total: Tensor | None = None
        for cell_px in sorted(set(self.cells_px)):
            which = [place for place, side in enumerate(self.cells_px) if side == cell_px]
            usual, spread = (values[which, None, None] for values in (self.usual, self.spread))
            cells = torch.stack([maps[place] for place in which], dim=1)
            summed = ((cells - usual) / spread).sum(dim=1, keepdim=True)
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


def peaks_of(maps: Sequence[Tensor]) -> Tensor:
    """The largest value of each map in each image, [batch, map]."""
    return torch.stack([one.amax(dim=(1, 2)) for one in maps], dim=1)


def wide(cells: Tensor, cell_px: int) -> Tensor:
    """A map in cells, averaged over about `WIDE_PX` squared.

    A speck of dust has a sharp peak and nothing around it; most defects are larger. So evidence counts
    near and wide (our choice: the largest value alone would let specks, which good images have as well,
    decide). In cells, a mean over so many pixels costs next to nothing.

    Args:
        cells: [batch, row, column].
        cell_px: side of the square of pixels that a cell stands for.
    """
    return averaged(cells[:, None], 2 * (WIDE_PX // (2 * cell_px)) + 1)[:, 0]
