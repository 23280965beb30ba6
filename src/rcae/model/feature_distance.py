"""How unlike good images CRD's own features are: the other half of the anomaly map."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

RIDGE = 1e-3
"""Added to the variance of every standardised feature: directions that good images hardly use would
otherwise decide everything."""

BORDER_CELLS = 4
"""Cells from the edge of the image that are judged apart: 16 px in the preset `quick`, about half of
what CRD sees around a position."""


class FeatureDistance(nn.Module):
    """The Mahalanobis distance of features from those of good images (our addition).

    CRD learns to tell the anomalies that training paints. Its features see far more than those: what
    a real defect does to them is unlike anything good images do, even where the map stays calm. As in
    CutPaste (Li et al., 2021), where the features of a classifier of painted anomalies tell more than
    its answer. Mean and covariance are known in closed form after training: one for all positions
    within the image, one for those at its border, where the networks see beyond the edge. A position
    at the border may look like either: where ground runs out of the image it looks as within.

    `mean` is [zone, channel], `whitening` [zone, channel, channel], the zones being within and border;
    zero until `fit`.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, channels))
        self.register_buffer("whitening", torch.zeros(2, channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Root mean square of the whitened features.

        Args:
            features: [batch, channel, row, column] of whole images, nothing beyond their edges.

        Returns:
            [batch, row, column]: about 1 on good images, more where the features are unlike them.
        """
        within, border = (self._of(features, zone) for zone in range(2))
        return torch.where(is_border(features), torch.minimum(within, border), within)

    def fit(self, good_features: Iterable[Tensor]) -> None:
        """Take mean and covariance from all positions of features of good images.

        Args:
            good_features: tensors as `forward` takes them; read once, one after the other.
        """
        zones = (_Moments(self.mean[0]), _Moments(self.mean[0]))
        for features in good_features:
            rows = features.permute(2, 3, 0, 1)  # [row, column, image, channel]
            border = is_border(features)
            for zone, where in zip(zones, (~border, border), strict=True):
                zone.add(rows[where].flatten(end_dim=1).double())
        for number, zone in enumerate(zones):
            if zone.count:  # an image of three cells has no border
                self.mean[number], self.whitening[number] = zone.gaussian()

    def _of(self, features: Tensor, zone: int) -> Tensor:
        centred = features - self.mean[zone][:, None, None]
        whitened = functional.conv2d(centred, self.whitening[zone][:, :, None, None])
        # Summed by a convolution: a mean over channels costs ONNX Runtime more than the whitening.
        summed = functional.conv2d(whitened.square(), torch.ones_like(self.mean[:1, :, None, None]))
        return (summed[:, 0] / self.mean.shape[1]).sqrt()


class _Moments:
    """Running count, sum and products of feature vectors, in float64."""

    def __init__(self, like: Tensor) -> None:
        self.count = 0
        self.total = torch.zeros_like(like, dtype=torch.float64)
        self.products = torch.outer(self.total, self.total)

    def add(self, rows: Tensor) -> None:
        """Rows of [position, channel]."""
        self.count += len(rows)
        self.total += rows.sum(dim=0)
        self.products += rows.T @ rows

    def gaussian(self) -> tuple[Tensor, Tensor]:
        """Mean [channel], and the [channel, channel] that makes centred features uncorrelated."""
        mean = self.total / self.count
        covariance = self.products / self.count - torch.outer(mean, mean)
        deviation = covariance.diagonal().clamp(min=1e-12).sqrt()
        correlation = covariance / torch.outer(deviation, deviation)
        identity = torch.eye(len(mean), dtype=torch.float64, device=mean.device)
        # With L L^T = correlation + ridge, L^-1 makes the standardised features uncorrelated.
        factor = torch.linalg.cholesky(correlation + RIDGE * identity)
        return mean, torch.linalg.solve_triangular(factor, identity, upper=False) / deviation


def is_border(features: Tensor) -> Tensor:
    """Which positions lie at the border of the image: the outermost cells, at most a quarter a side.

    Args:
        features: [batch, channel, row, column].

    Returns:
        bool [row, column]
    """
    distances = []
    for length in features.shape[2:]:
        cells = torch.arange(length, device=features.device)
        inside = torch.minimum(cells, length - 1 - cells)
        # Not min(BORDER_CELLS, length // 4): an exported graph keeps its branch for every length.
        distances.append((inside < BORDER_CELLS) & (4 * (inside + 1) <= length))
    at_row, at_column = distances
    return at_row[:, None] | at_column


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
        return functional.avg_pool2d(level, 2)  # the finest of all: twice the size, exactly
    return functional.interpolate(level, size=size, mode="bilinear", align_corners=False)
