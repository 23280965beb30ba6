"""How unlike good images CRD's own features are: the second half of the anomaly map."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

RIDGE = 1e-3
"""Added to the variance of every standardised feature: directions that good images hardly use would
otherwise decide everything."""


class FeatureDistance(nn.Module):
    """The Mahalanobis distance of features from those of good images (our addition).

    CRD learns to tell the anomalies that training paints. Its features see far more than those: what
    a real defect does to them is unlike anything good images do, even where the map stays calm. One
    mean and one covariance for all positions, known in closed form after training; as in CutPaste (Li
    et al., 2021), where the features of a classifier of painted anomalies tell more than its answer.

    `mean` is [channel], `whitening` [channel, channel]; both are zero until `fit`.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("whitening", torch.zeros(channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Root mean square of the whitened features.

        Args:
            features: [batch, channel, height, width].

        Returns:
            [batch, height, width]: about 1 on good images, more where the features are unlike them.
        """
        centred = features - self.mean[:, None, None]
        whitened = functional.conv2d(centred, self.whitening[:, :, None, None])
        return whitened.square().mean(dim=1).sqrt()

    def fit(self, good_features: Iterable[Tensor]) -> None:
        """Take mean and covariance from all positions of features of good images.

        Args:
            good_features: tensors as `forward` takes them; read once, one after the other.
        """
        count = 0
        total = torch.zeros_like(self.mean, dtype=torch.float64)
        products = torch.zeros_like(self.whitening, dtype=torch.float64)
        for features in good_features:
            rows = features.transpose(0, 1).flatten(1).double()  # [channel, position]
            count += rows.shape[1]
            total += rows.sum(dim=1)
            products += rows @ rows.T
        mean = total / count
        covariance = products / count - torch.outer(mean, mean)
        deviation = covariance.diagonal().clamp(min=1e-12).sqrt()
        correlation = covariance / torch.outer(deviation, deviation)
        identity = torch.eye(len(mean), dtype=torch.float64, device=mean.device)
        # With L L^T = correlation + ridge, L^-1 makes the standardised features uncorrelated.
        factor = torch.linalg.cholesky(correlation + RIDGE * identity)
        whitening = torch.linalg.solve_triangular(factor, identity, upper=False) / deviation
        self.mean.copy_(mean)
        self.whitening.copy_(whitening)


def joined(levels: Sequence[Tensor]) -> Tensor:
    """Features of several resolutions as one tensor, at the resolution of the second finest.

    Args:
        levels: [batch, channel, (step,) height, width] each, coarse to fine; the mean over the steps
            is taken.

    Returns:
        [batch, sum of channels, height, width]
    """
    flat = [level.mean(dim=2) if level.dim() == 5 else level for level in levels]
    height, width = flat[-2:][0].shape[2:]
    return torch.cat([_resized(level, (height, width)) for level in flat], dim=1)


def _resized(level: Tensor, size: tuple[int, int]) -> Tensor:
    if level.shape[2] > size[0]:
        return functional.adaptive_avg_pool2d(level, size)
    return functional.interpolate(level, size=size, mode="bilinear", align_corners=False)
