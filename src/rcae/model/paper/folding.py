"""Folding of pixel blocks into channels, and back: all that the three networks know of resolution."""

import torch
from torch import Tensor
from torch.nn import functional


def fold(image: Tensor, side: int) -> Tensor:
    """Turn blocks of side x side pixels into channels; no pixel is lost.

    A CPU is several times faster with folded images.

    Args:
        image: [..., channel, height, width]; height and width are multiples of `side`.
        side: length of a block's side; 1 changes nothing.

    Returns:
        [..., side^2 * channel, height / side, width / side], in the memory layout that is fastest on a
        CPU.
    """
    if side == 1:
        return image
    flat = functional.pixel_unshuffle(image.reshape(-1, *image.shape[-3:]), side)
    return flat.contiguous(memory_format=torch.channels_last).view(
        *image.shape[:-3], *flat.shape[1:]
    )


def unfold(folded: Tensor, side: int) -> Tensor:
    """Return the inverse of `fold`.

    Args:
        folded: [..., side^2 * channel, height / side, width / side].
        side: length of a block's side; 1 changes nothing.

    Returns:
        [..., channel, height, width]
    """
    if side == 1:
        return folded
    flat = functional.pixel_shuffle(folded.reshape(-1, *folded.shape[-3:]), side)
    return flat.view(*folded.shape[:-3], *flat.shape[1:])
