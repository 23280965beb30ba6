"""How unlike good images the whole looks, seen from so far that no detail is left."""

import torch
from torch import Tensor, nn

SIDE_PX = 16
"""Of a thumbnail, whatever the size of its image (our choice)."""
LEAST_DEVIATION = 1 / 255
"""Of a value in good thumbnails: less than one grey level says nothing."""
LEAST_SPREAD = 0.1
"""Of good images' distances, in standard deviations: where they hardly differ, as where every place
varies for itself, a trifle would otherwise outweigh all other evidence."""
CALMEST = -4.0
"""Peak of a map in which each of four kinds of evidence is one interquartile range below what is usual:
about one good image in ten has a calmer one (our choice)."""
LEAST_HEIGHT = 1e-3
"""Of the peak of a map above its least value, so that a flat one is no division by zero."""


class ThumbnailDistance(nn.Module):
    """How far the thumbnail of an image is from those of good images (our addition).

    CRD and its features look at one place at a time, and an image counts as much as its most anomalous
    place. What is a little wrong everywhere, as light, shade or a part that lies otherwise, has no such
    place. So the image is also compared as a whole: at each place of its thumbnail with the mean and
    the standard deviation that good images have there, the mean of these distances over all of it.

    `mean` and `deviation` are [3, SIDE_PX, SIDE_PX]; `usual` and `spread`, the median and interquartile
    range of good images' distances, have no axes. 0 and 1 until `fit`.
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
        """The distance in interquartile ranges from the usual one.

        Args:
            images: [batch, 3, height, width] of any size; whole images, not tiles.

        Returns:
            [batch]; about 0 on good images, more where the whole looks otherwise.
        """
        distances = _distances(thumbnails(images), self.mean, self.deviation)
        return (distances - self.usual) / self.spread

    def fit(self, good: Tensor) -> None:
        """Learn from the thumbnails of good images, [image, 3, SIDE_PX, SIDE_PX], at least three.

        What is usual is measured on each of them by the mean and deviation of all others: few images
        would otherwise look closer than new ones ever are.
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
    """An anomaly map whose largest value is raised by the thumbnail's distance, or lowered.

    That is one more kind of evidence in the unit that `WeighedEvidence` gives all others. But a peak below
    `CALMEST` counts as that: an image without its part has the calmest map of all, and would make up for it.

    The map is stretched evenly from its least value (our choice: added everywhere, the distance of the
    whole would count in places where nothing is wrong, and order the pixels of all images by it).

    Args:
        anomaly_map: [batch, height, width], of whole images.
        distance: [batch], as `ThumbnailDistance` gives it.
    """
    least, peak = (
        extreme(anomaly_map, dim=(1, 2), keepdim=True) for extreme in (torch.amin, torch.amax)
    )
    height = (peak - least).clamp(min=LEAST_HEIGHT)
    calmer = (CALMEST - peak).clamp(min=0)
    stretch = (1 + (calmer + distance[:, None, None]) / height).clamp(min=0)
    return least + (anomaly_map - least) * stretch


def thumbnails(images: Tensor) -> Tensor:
    """Images [batch, 3, height, width] as [batch, 3, SIDE_PX, SIDE_PX]: the mean of each part's area."""
    rows, columns = (_shares(length, images.device) for length in images.shape[2:])
    return rows @ images @ columns.T


def _shares(length: int, device: torch.device) -> Tensor:
    """[SIDE_PX, length]: which share of each of the equal parts of a side every pixel is."""
    edges = torch.arange(SIDE_PX + 1, device=device) * length / SIDE_PX
    pixels = torch.arange(length, device=device)
    covered = torch.minimum(pixels + 1, edges[1:, None]) - torch.maximum(pixels, edges[:-1, None])
    return covered.clamp(min=0) * SIDE_PX / length


def _moments(count: int, total: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of so many values, from their sum and that of their squares."""
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    return mean, (variance + LEAST_DEVIATION**2).sqrt()


def _distances(small: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """The mean distance of each thumbnail in standard deviations, [image]."""
    return ((small - mean) / deviation).abs().mean(dim=(1, 2, 3))
