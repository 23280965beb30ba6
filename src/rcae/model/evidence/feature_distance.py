"""Distance of CRD's own features from those of good images: the other half of the anomaly map."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rcae.model.evidence.evidence import FOLDS, Evidence, Sight, cells_within
from rcae.model.evidence.whitening import whitening_of

BORDER_CELLS = 4
"""Number of cells from the edge of the image that are judged separately.

They are 16 px in the preset `quick`, about half of CRD's view around a position.
"""

WITHIN = BORDER_CELLS
"""Place along a side of every cell that is not at its border, see `places_along`."""
PLACES = 2 * BORDER_CELLS + 1
"""Number of places along a side."""


class FeatureDistance(Evidence):
    """The Mahalanobis distance of features from those of good images (our addition).

    CRD learns to find the anomalies that training paints. Its features see far more than those. A real
    defect changes them in a way that good images never do, even where the map stays calm. CutPaste
    (Li et al., 2021) uses the same effect: the features of a classifier of painted anomalies tell more
    than its answer.

    Mean and covariance are known in closed form after training. All positions within the image share one
    of each, because the networks see nothing but the image there. The networks see beyond the edge from
    a position at the border, and each place there sees it differently. Each place of the border thus has
    its own mean. A corner is unlike all other places in every image, and would otherwise outweigh most
    defects. One covariance serves the whole border. A position at the border may look like either zone,
    and the smaller distance counts. It looks like a position within where ground runs out of the image.

    `mean` is [row place, column place, channel], see `places_along`. `whitening` is
    [zone, channel, channel]; the zones are within and border. Both are zero until `settle`.
    """

    name = "own features"
    most_images = 48
    mean: Tensor
    whitening: Tensor

    def __init__(self, channels: int, cell_px: int) -> None:
        """Take the sum of channels of CRD's levels, and the side of the square that a cell stands for."""
        super().__init__()
        self._sums: list[_FeatureSums] = []
        self.cell_px = cell_px
        self.register_buffer("mean", torch.zeros(PLACES, PLACES, channels))
        self.register_buffer("whitening", torch.zeros(2, channels, channels))

    def features(self, sight: Sight) -> Tensor:
        """Return CRD's features, [batch, channel, row, column], without cells beyond the image."""
        rows, columns = cells_within(sight.size_px, self.cell_px)
        return joined(sight.levels)[:, :, :rows, :columns]

    def forward(self, features: Tensor) -> Tensor:
        """Compute the root mean square of the whitened features.

        Args:
            features: [batch, channel, row, column] of whole images, without cells beyond their edges.

        Returns:
            [batch, row, column]: about 1 on good images, more where the features differ from theirs.
        """
        rows, columns = (places_along(length, features.device) for length in features.shape[2:])
        means = self.mean[rows][:, columns].permute(2, 0, 1)
        within = self._of(features - self.mean[WITHIN, WITHIN][:, None, None], zone=0)
        border = self._of(features - means, zone=1)
        return torch.where(is_border(rows, columns), torch.minimum(within, border), within)

    def learn(self, features: Tensor, fold: int) -> None:
        """See `Evidence.learn`; sums alone are remembered."""
        if not self._sums:
            self._sums = [_FeatureSums(self.mean) for _ in range(FOLDS)]
        self._sums[fold].add(features.double())

    def settle(self, without: int | None = None) -> None:
        """Take means and covariances from all positions; see `Evidence.settle`."""
        sums = _FeatureSums(self.mean)
        for fold, one in enumerate(self._sums):
            if fold != without:
                sums.join(one)
        self.mean.copy_(sums.means())
        for zone in range(2):
            if sums.zone_counts()[zone]:  # an image of three cells has no border
                self.whitening[zone] = whitening_of(sums.covariance(zone))

    def forget(self) -> None:
        """See `Evidence.forget`."""
        self._sums = []

    def _of(self, centred: Tensor, zone: int) -> Tensor:
        whitened = functional.conv2d(centred, self.whitening[zone][:, :, None, None])
        # A convolution takes the sum: a mean over channels costs ONNX Runtime more than the whitening.
        ones = torch.ones_like(self.whitening[0, :1, :, None, None])
        return (functional.conv2d(whitened.square(), ones)[:, 0] / self.mean.shape[2]).sqrt()


class _FeatureSums:
    """Running counts and sums of features by place, and their products by zone, in float64."""

    def __init__(self, mean: Tensor) -> None:
        self._counts = torch.zeros(mean.shape[:2], dtype=torch.float64, device=mean.device)
        self._totals = torch.zeros_like(mean, dtype=torch.float64)
        self._products = self._totals.new_zeros(2, mean.shape[2], mean.shape[2])

    def add(self, features: Tensor) -> None:
        """Add features of images, [batch, channel, row, column]."""
        rows, columns = (places_along(length, features.device) for length in features.shape[2:])
        place = (rows[:, None].expand(-1, len(columns)), columns.expand(len(rows), -1))
        count = torch.full(features.shape[2:], len(features)).to(self._counts)
        self._counts.index_put_(place, count, accumulate=True)
        self._totals.index_put_(place, features.sum(0).permute(1, 2, 0), accumulate=True)
        border = is_border(rows, columns)
        for zone, where in enumerate((~border, border)):
            here = features.permute(2, 3, 0, 1)[where].flatten(end_dim=1)
            self._products[zone] += here.T @ here

    def join(self, other: "_FeatureSums") -> None:
        """Add all that other sums have."""
        self._counts += other._counts
        self._totals += other._totals
        self._products += other._products

    def means(self) -> Tensor:
        """Return the means, [place, place, channel]; zero at places that no image had."""
        return self._totals / self._counts.clamp(min=1)[..., None]

    def zone_counts(self) -> Tensor:
        """Count the positions within and those at the border, [zone]."""
        within = self._counts[WITHIN, WITHIN]
        return torch.stack([within, self._counts.sum() - within])

    def covariance(self, zone: int) -> Tensor:
        """Return the covariance of a zone's features about the means of their places, [channel, channel]."""
        means, totals = self.means(), self._totals
        of_means = torch.outer(means[WITHIN, WITHIN], totals[WITHIN, WITHIN])
        if zone == 1:
            of_means = torch.einsum("rcm,rcn->mn", means, totals) - of_means
        covariance: Tensor = (self._products[zone] - of_means) / self.zone_counts()[zone]
        return covariance


def places_along(length: int, device: torch.device | None = None) -> Tensor:
    """Return the place of each of `length` cells in a row: 0..3 at the start, 4 within, 5..8 at the end.

    The border is `BORDER_CELLS` wide, at most a quarter of the side at each end.
    """
    from_start = torch.arange(length, device=device)
    from_end = length - 1 - from_start
    # An exported graph would keep one branch of min(BORDER_CELLS, length // 4) for every length.
    at_start, at_end = (
        (cells < BORDER_CELLS) & (4 * (cells + 1) <= length) for cells in (from_start, from_end)
    )
    place = torch.where(at_start, from_start, torch.full_like(from_start, WITHIN))
    return torch.where(at_end, PLACES - 1 - from_end, place)


def is_border(rows: Tensor, columns: Tensor) -> Tensor:
    """Return True for positions at the border of the image, bool [row, column], from their places."""
    return (rows != WITHIN)[:, None] | (columns != WITHIN)


def joined(levels: Sequence[Tensor]) -> Tensor:
    """Join features of several resolutions in one tensor, at the resolution of the second finest.

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
