"""One anomaly map from two kinds of evidence: what CRD draws, and the distance of its features."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LEAST_SPREAD = 1e-3
"""Of the peaks of one kind of evidence, so that equal ones are no division by zero."""


class WeighedEvidence(nn.Module):
    """The sum of the evidence, each kind in units of its own peaks on good images (our choice).

    A kind's peak is its largest value in an image. 0 is the median of its peaks on good images, 1 lies
    one interquartile range above. Neither then drowns the other in noise.

    `usual` and `spread` are [kind]: drawn, distance; 0 and 1 until `fit`.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("usual", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))

    def forward(self, evidence: Tensor) -> Tensor:
        """[batch, kind, height, width] to [batch, height, width]; mostly below 0 on good images."""
        usual, spread = (values[:, None, None] for values in (self.usual, self.spread))
        return ((evidence - usual) / spread).sum(dim=1)

    def fit(self, peaks: NDArray[np.floating]) -> None:
        """Take median and interquartile range from the peaks of good images, [image, kind]."""
        lower, usual, upper = np.quantile(peaks, (0.25, 0.5, 0.75), axis=0)
        self.usual.copy_(torch.from_numpy(usual))
        self.spread.copy_(torch.from_numpy(np.maximum(upper - lower, LEAST_SPREAD)))
