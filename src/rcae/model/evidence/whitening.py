"""Whitening of features: after it, good ones are uncorrelated and of one variance."""

import torch
from torch import Tensor

RIDGE = 1e-3
"""Addition to the variance of every standardised feature: directions that good images hardly use would
otherwise decide everything."""


def whitening_of(covariance: Tensor) -> Tensor:
    """Return the matrix that makes centred features uncorrelated, after a little ridge.

    Args:
        covariance: [channel, channel], float64.

    Returns:
        [channel, channel]; the product with centred features [channel] whitens them.
    """
    deviation = covariance.diagonal().clamp(min=1e-12).sqrt()
    correlation = covariance / torch.outer(deviation, deviation)
    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    # L^-1 makes the standardised features uncorrelated, where L L^T = correlation + ridge.
    factor = torch.linalg.cholesky(correlation + RIDGE * identity)
    whitening: Tensor = torch.linalg.solve_triangular(factor, identity, upper=False) / deviation
    return whitening
