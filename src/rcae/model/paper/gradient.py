"""The first-order spatial gradient X' that the paper's losses and the detail network share."""

import torch
from torch import Tensor
from torch.nn import functional


def spatial_gradient(image: Tensor) -> Tensor:
    """Forward differences along width and height, zero behind the last column and row.

    The paper says "first-order spatial gradient". Forward differences are our choice: the smallest stencil,
    which sees one-pixel texture.

    Args:
        image: [batch, channel, height, width], any float dtype.

    Returns:
        [batch, 2 * channel, height, width]: all horizontal differences, then all vertical ones.
    """
    horizontal = functional.pad(image[..., :, 1:] - image[..., :, :-1], (0, 1, 0, 0))
    vertical = functional.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
    return torch.cat([horizontal, vertical], dim=-3)
