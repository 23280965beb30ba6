"""The interface of every addition to the paper's map: one kind of evidence, in cells of the image."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class Sight(NamedTuple):
    """Output of the three networks for a batch of images, each extended to whole cells."""

    image: Tensor
    """Images I, [batch, 3, height, width], 0..1."""
    levels: list[Tensor]
    """Features of CRD's decoder, coarse to fine, [batch, channel, (step,) height / 2^k, width / 2^k]."""
    drawn: Tensor
    """M_A before smoothing, [batch, height, width], 0..1."""
    size_px: tuple[int, int]
    """Height and width of the images before they were extended."""


class Evidence(nn.Module, ABC):
    """Difference of each cell of an image from good images, judged by one kind of features.

    A kind knows good images through `fit`, in closed form, and knows nothing of the other kinds.
    """

    cell_px: int
    """Side of the square of pixels that one cell stands for."""

    @abstractmethod
    def features(self, sight: Sight) -> Tensor:
        """Return the features of this kind, [batch, channel, row, column], of the image alone.

        Cells of the extension beyond the image are left out.
        """

    @abstractmethod
    def fit(self, good_features: Iterable[Tensor]) -> None:
        """Learn the features of good images; each tensor is a result of `features`, and is read once."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return the map in cells, [batch, row, column]; higher is more anomalous."""


def cells_within(sight: Sight, cell_px: int) -> tuple[int, int]:
    """Count the rows and columns of cells in the image; the last cells may lie in it only in part.

    The counts are rounded up without negative numbers, because an exported graph divides these
    differently.
    """
    height, width = sight.size_px
    return (height - 1) // cell_px + 1, (width - 1) // cell_px + 1


def averaged(maps: Tensor, side_px: int) -> Tensor:
    """Average maps [batch, kind, height, width] over a square of odd side, over the pixels that exist."""
    rows = functional.avg_pool2d(
        maps, (side_px, 1), stride=1, padding=(side_px // 2, 0), count_include_pad=False
    )
    return functional.avg_pool2d(
        rows, (1, side_px), stride=1, padding=(0, side_px // 2), count_include_pad=False
    )
