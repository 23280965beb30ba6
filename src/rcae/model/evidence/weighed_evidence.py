"""One anomaly map from all evidence: what CRD draws and the distance of its features, near and wide."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

WIDE_PX = 20
"""About the side of the square that evidence counts a second time as the mean of (our choice): wider
ranks large defects better still, and costs more of what finds the smallest."""
KINDS = 4
"""Drawn; distance, drawn and distance wide."""
LEAST_SPREAD = 1e-3
"""Of the peaks of one kind of evidence, so that equal ones are no division by zero."""


class Evidence(NamedTuple):
    """What speaks for an anomaly; higher is more anomalous."""

    drawn: Tensor
    """M_A, [batch, height, width]."""
    cells: Tensor
    """[batch, 3, row, column]: the feature distance, and what was drawn and the distance seen wide, in
    cells of as many pixels as the distance has."""

    def peaks(self) -> Tensor:
        """The largest value of each kind in each image, [batch, kind] in the order of `KINDS`."""
        return torch.cat([self.drawn.amax(dim=(1, 2))[:, None], self.cells.amax(dim=(2, 3))], dim=1)


class WeighedEvidence(nn.Module):
    """The sum of the evidence, each kind in units of its own peaks on good images (our choice).

    A kind's peak is its largest value in an image. 0 is the median of its peaks on good images, 1 lies
    one interquartile range above. Neither then drowns the others in noise.

    `usual` and `spread` are [kind], in the order of `Evidence.peaks`; 0 and 1 until `fit`. `cell_px` is
    the side of the square of pixels that a cell stands for.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self, cell_px: int) -> None:
        super().__init__()
        self.cell_px = cell_px
        self.register_buffer("usual", torch.zeros(KINDS))
        self.register_buffer("spread", torch.ones(KINDS))

    def gather(self, drawn: Tensor, extended: Tensor, distance: Tensor) -> Evidence:
        """The evidence near and wide.

        A speck of dust has a sharp peak and nothing around it; most defects are larger. So what CRD draws
        and the distance count once more, averaged over about `WIDE_PX` squared (our choice: the largest
        value alone would let specks, which good images have as well, decide). In cells, a mean over so
        many pixels costs next to nothing.

        Args:
            drawn: M_A, [batch, height, width].
            extended: M_A before smoothing, and beyond the image up to whole cells.
            distance: [batch, row, column], the cells within the image.
        """
        rows, columns = distance.shape[1:]
        drawn_cells = functional.avg_pool2d(extended[:, None], self.cell_px)[:, :, :rows, :columns]
        near = torch.cat([drawn_cells, distance[:, None]], dim=1)
        wide = averaged(near, 2 * (WIDE_PX // (2 * self.cell_px)) + 1)
        return Evidence(drawn, torch.cat([distance[:, None], wide], dim=1))

    def forward(self, evidence: Evidence) -> Tensor:
        """The anomaly map, [batch, height, width]; mostly below 0 on good images."""
        height, width = evidence.drawn.shape[1:]
        usual, spread = (values[1:, None, None] for values in (self.usual, self.spread))
        cells = ((evidence.cells - usual) / spread).sum(dim=1, keepdim=True)
        enlarged = functional.interpolate(cells, scale_factor=self.cell_px, mode="bilinear")
        drawn = (evidence.drawn - self.usual[0]) / self.spread[0]
        return drawn + enlarged[:, 0, :height, :width]

    def fit(self, peaks: NDArray[np.floating]) -> None:
        """Take median and interquartile range from the peaks of good images, [image, kind]."""
        lower, usual, upper = np.quantile(peaks, (0.25, 0.5, 0.75), axis=0)
        self.usual.copy_(torch.from_numpy(usual))
        self.spread.copy_(torch.from_numpy(np.maximum(upper - lower, LEAST_SPREAD)))


def averaged(maps: Tensor, side_px: int) -> Tensor:
    """Maps [batch, kind, height, width] averaged over a square of odd side, of the pixels that exist."""
    rows = functional.avg_pool2d(
        maps, (side_px, 1), stride=1, padding=(side_px // 2, 0), count_include_pad=False
    )
    return functional.avg_pool2d(
        rows, (1, side_px), stride=1, padding=(0, side_px // 2), count_include_pad=False
    )
