"""One anomaly map from several kinds of evidence: the strongest at every pixel."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

LEAST_SPREAD = 1e-3
"""Of the peaks of one kind of evidence, so that equal ones are no division by zero."""


class StrongestEvidence(nn.Module):
    """The largest of several kinds of evidence, each in units of its own peaks on good images.

    A kind's peak is its largest value in an image. 0 is the median of its peaks on good images, 1 lies
    one interquartile range above. Defects show in one kind or another, seldom in all: a sum would
    drown the one that sees them in the noise of the others (our choice).

    `usual` and `spread` are [kind]; 0 and 1 until `fit`.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.register_buffer("usual", torch.zeros(kinds))
        self.register_buffer("spread", torch.ones(kinds))

    def forward(self, evidence: Tensor) -> Tensor:
        """[batch, kind, height, width] to [batch, height, width]; mostly below 0 on good images."""
        usual, spread = (values[:, None, None] for values in (self.usual, self.spread))
        return ((evidence - usual) / spread).amax(dim=1)

    def fit(self, peaks: Sequence[Sequence[float]]) -> None:
        """Take median and interquartile range from the peaks of good images, [image][kind]."""
        lower, usual, upper = np.quantile(np.asarray(peaks), (0.25, 0.5, 0.75), axis=0)
        self.usual.copy_(torch.from_numpy(usual))
        self.spread.copy_(torch.from_numpy(np.maximum(upper - lower, LEAST_SPREAD)))
