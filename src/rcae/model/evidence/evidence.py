"""The interface of every addition to the paper's map: one kind of evidence, in cells of the image."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class Sight(NamedTuple):
    """What the three networks made of a batch of images, each extended to whole cells."""

    image: Tensor
    """I, [batch, 3, height, width], 0..1."""
    levels: list[Tensor]
    """Features of CRD's decoder, coarse to fine, [batch, channel, (step,) height / 2^k, width / 2^k]."""
    drawn: Tensor
    """M_A before smoothing, [batch, height, width], 0..1."""
    size_px: tuple[int, int]
    """Height and width of the images before they were extended."""


class Evidence(nn.Module, ABC):
    """How unlike good images each cell of an image is, judged by one kind of features.

    A kind knows good images through `fit`, in closed form, and nothing of the other kinds.
    """

    cell_px: int
    """Side of the square of pixels that one cell stands for."""

    @abstractmethod
    def features(self, sight: Sight) -> Tensor:
        """What this kind looks at: [batch, channel, row, column], without what lies beyond the image."""

    @abstractmethod
    def fit(self, good_features: Iterable[Tensor]) -> None:
        """Learn what good images look like; each tensor is one that `features` gave, read once."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """The map in cells, [batch, row, column]; higher is more anomalous."""


def cells_within(sight: Sight, cell_px: int) -> tuple[int, int]:
    """Rows and columns of the cells that lie in the image, the last ones perhaps in part.

    Rounded up without negative numbers, which an exported graph divides another way.
    """
    height, width = sight.size_px
    return (height - 1) // cell_px + 1, (width - 1) // cell_px + 1


def averaged(maps: Tensor, side_px: int) -> Tensor:
    """Maps [batch, kind, height, width] averaged over a square of odd side, of the pixels that exist."""
    rows = functional.avg_pool2d(
        maps, (side_px, 1), stride=1, padding=(side_px // 2, 0), count_include_pad=False
    )
    return functional.avg_pool2d(
        rows, (1, side_px), stride=1, padding=(0, side_px // 2), count_include_pad=False
    )
