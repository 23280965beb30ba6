"""One anomaly map from all evidence: what CRD draws and the distance of its features, near and wide."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

WIDE_PX = 15
"""Odd side of the square that `widened` averages over (our choice): 25 ranks large defects better still, and
costs more of what finds the smallest."""
KINDS = 4
"""Drawn, distance, and each of them widened."""
LEAST_SPREAD = 1e-3
"""Of the peaks of one kind of evidence, so that equal ones are no division by zero."""


class WeighedEvidence(nn.Module):
    """The sum of the evidence, each kind in units of its own peaks on good images (our choice).

    A kind's peak is its largest value in an image. 0 is the median of its peaks on good images, 1 lies
    one interquartile range above. Neither then drowns the other in noise.

    `usual` and `spread` are [kind], in the order of `KINDS`; 0 and 1 until `fit`.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("usual", torch.zeros(KINDS))
        self.register_buffer("spread", torch.ones(KINDS))

    def forward(self, evidence: Tensor) -> Tensor:
        """[batch, kind, height, width] to [batch, height, width]; mostly below 0 on good images."""
        usual, spread = (values[:, None, None] for values in (self.usual, self.spread))
        return ((evidence - usual) / spread).sum(dim=1)

    def fit(self, peaks: NDArray[np.floating]) -> None:
        """Take median and interquartile range from the peaks of good images, [image, kind]."""
        lower, usual, upper = np.quantile(peaks, (0.25, 0.5, 0.75), axis=0)
        self.usual.copy_(torch.from_numpy(usual))
        self.spread.copy_(torch.from_numpy(np.maximum(upper - lower, LEAST_SPREAD)))


def widened(evidence: Tensor) -> Tensor:
    """Evidence averaged over `WIDE_PX` squared; shape as `evidence`, [batch, kind, height, width].

    A speck of dust has a sharp peak and nothing around it; most defects are larger (our choice: the
    largest value alone would let specks, which good images have as well, decide).
    """
    return averaged(evidence, WIDE_PX)


def averaged(maps: Tensor, side_px: int) -> Tensor:
    """Maps [batch, kind, height, width] averaged over a square of odd side, of the pixels that exist."""
    rows = functional.avg_pool2d(
        maps, (side_px, 1), stride=1, padding=(side_px // 2, 0), count_include_pad=False
    )
    return functional.avg_pool2d(
        rows, (1, side_px), stride=1, padding=(0, side_px // 2), count_include_pad=False
    )
