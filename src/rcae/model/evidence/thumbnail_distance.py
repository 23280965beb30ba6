"""Distance of the whole image from good images, seen from so far that no detail is left."""

import torch
from torch import Tensor, nn

SIDE_PX = 16
"""Side of a thumbnail, for every size of image (our choice)."""
LEAST_DEVIATION = 1 / 255
"""Least standard deviation of a value in good thumbnails: less than one grey level says nothing."""
LEAST_SPREAD = 0.1
"""Least interquartile range of good images' distances, in standard deviations.

These distances hardly differ if, for example, every place varies independently. A trifle would then
outweigh all other evidence.
"""
CALMEST = -4.0
"""Peak of a map whose four kinds of evidence are all one interquartile range below usual (our choice).

The share of good images with a calmer map is about one in ten.
"""
LEAST_HEIGHT = 1e-3
"""Least height of a map's peak above its least value, so that a flat map causes no division by zero."""


class ThumbnailDistance(nn.Module):
    """Distance of an image's thumbnail from those of good images (our addition).

    CRD and its features look at one place at a time, and an image counts as much as its most anomalous
    place. An image that is a little wrong everywhere has no such place. Examples are light, shade, or a
    part in another position. The image is therefore also compared as a whole. Good images give the mean
    and the standard deviation at each place of the thumbnail. The distance is the mean over all places
    of the absolute deviation in standard deviations.

    `mean` and `deviation` are [3, SIDE_PX, SIDE_PX]. `usual` and `spread` are scalars: the median and
    interquartile range of good images' distances. The buffers are 0, 1, 0 and 1 until `fit`.
    """

    mean: Tensor
    deviation: Tensor
    usual: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        shape = (3, SIDE_PX, SIDE_PX)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))
        self.register_buffer("usual", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        """Return the distance of each image from the usual distance, in interquartile ranges.

        Args:
            images: [batch, 3, height, width] of any size; whole images, not tiles.

        Returns:
            [batch]; about 0 on good images, more where the whole image looks different.
        """
        distances = _distances(thumbnails(images), self.mean, self.deviation)
        return (distances - self.usual) / self.spread

    def fit(self, good: Tensor) -> None:
        """Learn from the thumbnails of good images, [image, 3, SIDE_PX, SIDE_PX], at least three.

        The usual distance is leave-one-out: mean and deviation of all other images judge each image.
        Few images would otherwise look closer than new ones ever are.
        """
        good = good.double()
        count, total, squares = len(good), good.sum(0), good.square().sum(0)
        means, deviations = _moments(count - 1, total - good, squares - good.square())
        usual = _distances(good, means, deviations).quantile(good.new_tensor([0.25, 0.5, 0.75]))
        mean, deviation = _moments(count, total, squares)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)
        self.usual.copy_(usual[1])
        self.spread.copy_((usual[2] - usual[0]).clamp(min=LEAST_SPREAD))


def raised(anomaly_map: Tensor, distance: Tensor) -> Tensor:
    """Raise the largest value of an anomaly map by the thumbnail's distance, or lower it.

    The distance is one more kind of evidence, in the unit of `Fusion`. A peak below `CALMEST` counts as
    `CALMEST`. An image without its part has the calmest map of all, which would otherwise cancel the
    distance.

    The map is stretched evenly from its least value (our choice). A distance added everywhere would count
    in places where nothing is wrong, and would order the pixels of all images by it.

    Args:
        anomaly_map: [batch, height, width], of whole images.
        distance: [batch], result of `ThumbnailDistance`.
    """
    least, peak = (
        extreme(anomaly_map, dim=(1, 2), keepdim=True) for extreme in (torch.amin, torch.amax)
    )
    height = (peak - least).clamp(min=LEAST_HEIGHT)
    calmer = (CALMEST - peak).clamp(min=0)
    stretch = (1 + (calmer + distance[:, None, None]) / height).clamp(min=0)
    return least + (anomaly_map - least) * stretch


def thumbnails(images: Tensor) -> Tensor:
    """Reduce images [batch, 3, height, width] to [batch, 3, SIDE_PX, SIDE_PX] by the mean of each area."""
    rows, columns = (_shares(length, images.device) for length in images.shape[2:])
    return rows @ images @ columns.T


def _shares(length: int, device: torch.device) -> Tensor:
    """Return the share of each pixel in each of SIDE_PX equal parts of a side, [SIDE_PX, length]."""
    edges = torch.arange(SIDE_PX + 1, device=device) * length / SIDE_PX
    pixels = torch.arange(length, device=device)
    covered = torch.minimum(pixels + 1, edges[1:, None]) - torch.maximum(pixels, edges[:-1, None])
    return covered.clamp(min=0) * SIDE_PX / length


def _moments(count: int, total: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of `count` values, from their sum and the sum of squares."""
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    return mean, (variance + LEAST_DEVIATION**2).sqrt()


def _distances(small: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return the mean distance of each thumbnail in standard deviations, [image]."""
    return ((small - mean) / deviation).abs().mean(dim=(1, 2, 3))
