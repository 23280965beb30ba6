"""Pose of the part in an image, the crop to the part, and the way back to the image."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rcae.base.arrays import Array
from rcae.data.view.part_frame import PartFrame

SPECK_PX = 5
"""Side of the square mean filter on the foreground; a pixel counts if half of its square is covered."""


class Pose(NamedTuple):
    """Position and direction of the part in each image of a batch."""

    centre: Tensor
    """Centre of mass: column and row in pixels, [batch, 2]."""
    axis: Tensor
    """Unit vector along the part, towards the end with the longer tail: columns and rows, [batch, 2]."""


class PartMoments(NamedTuple):
    """Moments of the foreground of each image of a batch."""

    pose: Pose
    share: Tensor
    """Foreground's share of the image, 0..1, [batch]."""
    elongation: Tensor
    """Standard deviation along the axis divided by that across it, [batch]; 1 if no axis stands out."""


def find_part(frame: PartFrame, images: Tensor) -> Pose:
    """Return the pose of the part in images [batch, 3, height, width], 0..1.

    The pose follows from the moments of the foreground. A fixed frame gives its own pose to every image.
    """
    if frame.still_at_px is not None:
        return Pose(*(part.expand(images.shape[0], -1) for part in upright_at(*frame.still_at_px)))
    return moments(foreground(images, frame.ground, frame.contrast)).pose


def upright_at(column: int, row: int) -> Pose:
    """Return the pose of one image that is not rotated."""
    return Pose(torch.tensor([[float(column), float(row)]]), torch.tensor([[1.0, 0.0]]))


def cut_to_part(frame: PartFrame, images: Tensor, pose: Pose) -> Tensor:
    """Return the crop of the frame, [batch, channel, *frame.size_px].

    Positions outside the image repeat its border pixels.
    """
    height, width = frame.size_px
    along = _count_to(width, images) - frame.back_px
    across = _count_to(height, images)[:, None] - frame.above_px
    (x, y), (dx, dy) = _columns_and_rows(pose.centre), _columns_and_rows(pose.axis)
    return _sampled(images, x + along * dx - across * dy, y + along * dy + across * dx)


def put_back(frame: PartFrame, drawn: Tensor, pose: Pose, onto: Tensor) -> Tensor:
    """Put a map of the frame, [batch, channel, *frame.size_px], back into the image's pixels.

    Args:
        frame: the frame that was cut.
        drawn: the map in the frame's pixels.
        pose: the pose that `find_part` returned.
        onto: [batch, channel, height, width], the values outside the frame.
    """
    height, width = frame.size_px
    (x, y), (dx, dy) = _columns_and_rows(pose.centre), _columns_and_rows(pose.axis)
    columns = _count_to(onto.shape[3], onto) - x
    rows = _count_to(onto.shape[2], onto)[:, None] - y
    along = columns * dx + rows * dy + frame.back_px
    across = rows * dx - columns * dy + frame.above_px
    inward = torch.minimum(
        torch.minimum(along, width - 1 - along), torch.minimum(across, height - 1 - across)
    )
    # The edge is faded in over a pixel: a sharp edge would turn rounding of the pose into jumps.
    return onto + inward.clamp(0, 1)[:, None] * (_sampled(drawn, along, across) - onto)


def cut_array(frame: PartFrame, image: Array) -> tuple[Array, Pose]:
    """Find the pose in one image [height, width, 3] and return `cut_to_part` with that pose."""
    images = as_batch(image)
    pose = find_part(frame, images)
    return _of_batch(cut_to_part(frame, images, pose), image.ndim), pose


def put_array_back(frame: PartFrame, drawn: Array, pose: Pose, onto: Array) -> Array:
    """Apply `put_back` to one array [height, width] or [height, width, channel]."""
    return _of_batch(put_back(frame, as_batch(drawn), pose, as_batch(onto)), drawn.ndim)


def as_batch(array: Array) -> Tensor:
    """Convert an array [height, width] or [height, width, channel] to [1, channel, height, width]."""
    batch = torch.from_numpy(np.atleast_3d(array)).permute(2, 0, 1)[None]
    return batch.contiguous()


def _of_batch(batch: Tensor, dimensions: int) -> Array:
    array: Array = batch[0].permute(1, 2, 0).contiguous().numpy()
    return array if dimensions == 3 else array[..., 0]


def foreground(images: Tensor, ground: float, contrast: float) -> Tensor:
    """Return the foreground: 0 where an image equals the background, 1 at twice the contrast.

    Specks below half of `SPECK_PX` squared count as 0, because distant dust would turn the pose.

    Args:
        images: [batch, channel, height, width].
        ground: grey of the background, 0..1.
        contrast: least difference of the part from the background, 0..1.

    Returns:
        [batch, height, width]
    """
    difference = (images.mean(dim=1, keepdim=True) - ground).abs()
    differs = (difference / contrast - 1).clamp(0, 1)
    around = functional.avg_pool2d(
        differs, SPECK_PX, stride=1, padding=SPECK_PX // 2, count_include_pad=False
    )
    return (2 * around - 1).clamp(min=0)[:, 0]


def moments(mass: Tensor) -> PartMoments:
    """Return the moments of a mass [batch, height, width], 0..1; an empty mass has meaningless moments."""
    height, width = mass.shape[1:]
    columns, rows = _count_to(width, mass), _count_to(height, mass)[:, None]
    share = _mean(mass)
    weight = mass / share.clamp(min=1e-6)[:, None, None]
    centre = torch.stack([_mean(weight * columns), _mean(weight * rows)], dim=1)
    x, y = _columns_and_rows(centre)
    columns, rows = columns - x, rows - y
    xx, yy = _mean(weight * columns.square()), _mean(weight * rows.square())
    xy = _mean(weight * columns * rows)
    difference = ((xx - yy).square() + 4 * xy.square()).sqrt().clamp(min=1e-6)
    # Half the angle of (xx - yy, 2 xy), without the arctangent that ONNX lacks.
    right, down = (
        ((1 + sign * (xx - yy) / difference).clamp(min=0) / 2).sqrt() for sign in (1, -1)
    )
    axis = torch.stack([right, torch.where(xy < 0, -down, down)], dim=1)
    dx, dy = _columns_and_rows(axis)
    long, short = (((xx + yy + sign * difference) / 2).clamp(min=1e-6) for sign in (1, -1))
    tail = _mean(weight * (columns * dx + rows * dy) ** 3)
    axis = torch.where(tail[:, None] < 0, -axis, axis)
    return PartMoments(Pose(centre, axis), share, (long / short).sqrt())


def _mean(values: Tensor) -> Tensor:
    """Return the mean of each image, row by row first.

    A sum over all pixels would round too much for runtimes to agree.
    """
    return values.mean(dim=2).mean(dim=1)


def _columns_and_rows(values: Tensor) -> tuple[Tensor, Tensor]:
    """Split [batch, 2] into its two columns, each [batch, 1, 1]."""
    return values[:, 0, None, None], values[:, 1, None, None]


def _count_to(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, device=like.device, dtype=like.dtype)


def _sampled(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Sample images at pixel positions, each [batch, height, width], with bilinear interpolation."""
    height, width = images.shape[2:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=3)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
