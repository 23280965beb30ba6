"""The interface of every addition to the paper's map: one kind of evidence, in cells of the image."""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor, nn
from torch.nn import functional

FOLDS = 4
"""Good images are learnt in so many folds, so that each can be judged by what the others have shown."""


class Sight(Protocol):
    """Output of the networks for a batch of images; each part is computed when it is first asked for."""

    size_px: tuple[int, int]
    """Height and width of the images before they were extended to whole cells."""

    @property
    def image(self) -> Tensor:
        """The images themselves, [batch, 3, height, width], 0..1."""

    @property
    def levels(self) -> list[Tensor]:
        """Features of CRD's decoder, coarse to fine, [batch, channel, (step,) height / 2^k, width / 2^k]."""

    @property
    def drawn(self) -> Tensor:
        """M_A before smoothing, [batch, height, width] of the extended images, 0..1."""

    @property
    def patches(self) -> list[Tensor]:
        """Pretrained features of the images at each scale, see `patches_at_scales`."""

    @property
    def recursion(self) -> Tensor:
        """Pretrained features less those of the last reconstruction, [batch, channel, row, column]."""


class Evidence(nn.Module, ABC):
    """Difference of each cell of an image from good images, judged by one kind of features.

    A kind learns good images one by one, then settles what they have shown in closed form. It knows
    nothing of the other kinds.
    """

    name: str
    """Name in records and reports."""
    cell_px: int
    """Side of the square of pixels that one cell stands for."""
    most_images: ClassVar[int]
    """Number of good images that are enough to learn from."""

    @abstractmethod
    def features(self, sight: Sight) -> Tensor:
        """Return the features of this kind, [batch, channel, row, column], of the image alone.

        Cells of the extension beyond the image are left out.
        """

    @abstractmethod
    def learn(self, features: Tensor, fold: int) -> None:
        """Remember a result of `features` of a good image, until `forget`; the fold is 0 to FOLDS - 1."""

    @abstractmethod
    def settle(self, without: int | None = None) -> None:
        """Set the buffers from all that was learnt, or from all but one fold, to judge that fold's images."""

    @abstractmethod
    def forget(self) -> None:
        """Free what was remembered; the buffers stay as they are settled."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return the map in cells, [batch, row, column]; higher is more anomalous."""


def cells_within(size_px: tuple[int, int], cell_px: int) -> tuple[int, int]:
    """Count the rows and columns of cells in an image; the last cells may lie in it only in part.

    The counts are rounded up without negative numbers, because an exported graph divides these
    differently.
    """
    height, width = size_px
    return (height - 1) // cell_px + 1, (width - 1) // cell_px + 1


def averaged(maps: Tensor, side_px: int) -> Tensor:
    """Average maps [batch, kind, height, width] over a square of odd side, over the pixels that exist."""
    rows = functional.avg_pool2d(
        maps, (side_px, 1), stride=1, padding=(side_px // 2, 0), count_include_pad=False
    )
    return functional.avg_pool2d(
        rows, (1, side_px), stride=1, padding=(0, side_px // 2), count_include_pad=False
    )
