"""Restoration: CRD also draws the image without its anomalies, so that its features know good parts."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn


class Restoration(nn.Module):
    """A second head of CRD, trained in stage 3 and unused afterwards (our addition).

    CRD's features then know the correct content of a place, and not only that the content is wrong.
    """

    def __init__(self, width: int, image_channels: int) -> None:
        """Take the channels of CRD's finest features and those of a folded image."""
        super().__init__()
        self.head = nn.Conv2d(width, image_channels, 3, padding=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the image without its anomalies, folded, [batch, channel, height, width].

        Args:
            levels: CRD's features, coarse to fine; the mean over the steps of the finest is used.
        """
        finest = levels[-1].mean(dim=2) if levels[-1].dim() == 5 else levels[-1]
        image: Tensor = self.head(finest)
        return image


def restoration_loss(
    restored: Tensor,
    good: Tensor,
    mask: Tensor,
    *,
    averaged: Callable[[Tensor], Tensor] = lambda total: total,
) -> Tensor:
    """Return the mean absolute error of all pixels, plus that of the painted pixels (our choice).

    Most pixels are unchanged and easy. The head must learn the content under an anomaly.

    Args:
        restored: Restored image, [batch, channel, height, width].
        good: Image before anomalies were painted, same shape.
        mask: M_P, [batch, height, width], 0 or 1.
        averaged: see `detection_loss`.

    Returns:
        A scalar.
    """
    errors = (restored - good).abs().mean(dim=1)
    painted = averaged(mask.sum()).clamp(min=1.0)
    return errors.mean() + (errors * mask).sum() / painted
