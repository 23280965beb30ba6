"""How unlike good images CRD's own features are: the other half of the anomaly map."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rcae.model.evidence.evidence import Evidence, Sight, cells_within
from rcae.model.evidence.whitening import whitening_of

BORDER_CELLS = 4
"""Cells from the edge of the image that are judged apart: 16 px in the preset `quick`, about half of
what CRD sees around a position."""

WITHIN = BORDER_CELLS
"""The place along a side of every cell that is not at its border, see `places_along`."""
PLACES = 2 * BORDER_CELLS + 1
"""Along a side."""


class FeatureDistance(Evidence):
    """The Mahalanobis distance of features from those of good images (our addition).

    CRD learns to tell the anomalies that training paints. Its features see far more than those: what
    a real defect does to them is unlike anything good images do, even where the map stays calm. As in
    CutPaste (Li et al., 2021), where the features of a classifier of painted anomalies tell more than
    its answer. Mean and covariance are known in closed form after training: one of each for all
    positions within the image, where the networks see nothing but the image. At its border they see
    beyond the edge, from each place in another way: there each place has a mean of its own, as the
    corner, unlike all others in every image, would otherwise outweigh most defects; one covariance
    serves the whole border. A position at the border may look like either: where ground runs
    out of the image it looks as within.

    `mean` is [row place, column place, channel], see `places_along`; `whitening` is
    [zone, channel, channel], the zones being within and border; zero until `fit`.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, channels: int, cell_px: int) -> None:
        """Take the channels of CRD's levels joined, and the side of the square that one cell stands for."""
        super().__init__()
        self.cell_px = cell_px
        self.register_buffer("mean", torch.zeros(PLACES, PLACES, channels))
        self.register_buffer("whitening", torch.zeros(2, channels, channels))

    def features(self, sight: Sight) -> Tensor:
        """CRD's features, [batch, channel, row, column], without what lies beyond the image."""
        rows, columns = cells_within(sight, self.cell_px)
        return joined(sight.levels)[:, :, :rows, :columns]

    def forward(self, features: Tensor) -> Tensor:
        """Root mean square of the whitened features.

        Args:
            features: [batch, channel, row, column] of whole images, nothing beyond their edges.

        Returns:
            [batch, row, column]: about 1 on good images, more where the features are unlike them.
        """
        rows, columns = (places_along(length, features.device) for length in features.shape[2:])
        means = self.mean[rows][:, columns].permute(2, 0, 1)
        within = self._of(features - self.mean[WITHIN, WITHIN][:, None, None], zone=0)
        border = self._of(features - means, zone=1)
        return torch.where(is_border(rows, columns), torch.minimum(within, border), within)

    def fit(self, good_features: Iterable[Tensor]) -> None:
        """Take means and covariances from all positions of features of good images.

        Args:
            good_features: tensors as `forward` takes them; read once, one after the other.
        """
        moments = _FeatureSums(self.mean)
        for features in good_features:
            moments.add(features.double())
        self.mean.copy_(moments.means())
        for zone in range(2):
            if moments.zone_counts()[zone]:  # an image of three cells has no border
                self.whitening[zone] = whitening_of(moments.covariance(zone))

    def _of(self, centred: Tensor, zone: int) -> Tensor:
        whitened = functional.conv2d(centred, self.whitening[zone][:, :, None, None])
        # Summed by a convolution: a mean over channels costs ONNX Runtime more than the whitening.
        ones = torch.ones_like(self.whitening[0, :1, :, None, None])
        return (functional.conv2d(whitened.square(), ones)[:, 0] / self.mean.shape[2]).sqrt()


class _FeatureSums:
    """Running counts and sums of features by place, and their products by zone, in float64."""

    def __init__(self, mean: Tensor) -> None:
        self._counts = torch.zeros(mean.shape[:2], dtype=torch.float64, device=mean.device)
        self._totals = torch.zeros_like(mean, dtype=torch.float64)
        self._products = self._totals.new_zeros(2, mean.shape[2], mean.shape[2])

    def add(self, features: Tensor) -> None:
        """Features of images, [batch, channel, row, column]."""
        rows, columns = (places_along(length, features.device) for length in features.shape[2:])
        place = (rows[:, None].expand(-1, len(columns)), columns.expand(len(rows), -1))
        count = torch.full(features.shape[2:], len(features)).to(self._counts)
        self._counts.index_put_(place, count, accumulate=True)
        self._totals.index_put_(place, features.sum(0).permute(1, 2, 0), accumulate=True)
        border = is_border(rows, columns)
        for zone, where in enumerate((~border, border)):
            here = features.permute(2, 3, 0, 1)[where].flatten(end_dim=1)
            self._products[zone] += here.T @ here

    def means(self) -> Tensor:
        """[place, place, channel]; zero at places that no image had."""
        return self._totals / self._counts.clamp(min=1)[..., None]

    def zone_counts(self) -> Tensor:
        """How many positions were within, and how many at the border."""
        within = self._counts[WITHIN, WITHIN]
        return torch.stack([within, self._counts.sum() - within])

    def covariance(self, zone: int) -> Tensor:
        """Of the zone's features about the means of their places, [channel, channel]."""
        means, totals = self.means(), self._totals
        of_means = torch.outer(means[WITHIN, WITHIN], totals[WITHIN, WITHIN])
        if zone == 1:
            of_means = torch.einsum("rcm,rcn->mn", means, totals) - of_means
        covariance: Tensor = (self._products[zone] - of_means) / self.zone_counts()[zone]
        return covariance


def places_along(length: int, device: torch.device | None = None) -> Tensor:
    """Where each of `length` cells in a row lies: 0 ... 3 from the start, 4 within, 5 ... 8 to the end.

    The border is `BORDER_CELLS` wide, at most a quarter of the side at each end.
    """
    from_start = torch.arange(length, device=device)
    from_end = length - 1 - from_start
    # Not min(BORDER_CELLS, length // 4): an exported graph keeps its branch for every length.
    at_start, at_end = (
        (cells < BORDER_CELLS) & (4 * (cells + 1) <= length) for cells in (from_start, from_end)
    )
    place = torch.where(at_start, from_start, torch.full_like(from_start, WITHIN))
    return torch.where(at_end, PLACES - 1 - from_end, place)


def is_border(rows: Tensor, columns: Tensor) -> Tensor:
    """Which positions lie at the border of the image, bool [row, column], from their places."""
    return (rows != WITHIN)[:, None] | (columns != WITHIN)


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
