"""Search for a frame: do the good images each show one part before a plain background?"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage

from rcae.base.arrays import Array, Mask
from rcae.data.images import outermost
from rcae.data.view.part_frame import PartFrame
from rcae.data.view.part_pose import (
    SPECK_PX,
    PartMoments,
    Pose,
    as_batch,
    cut_to_part,
    foreground,
    moments,
    upright_at,
)

LEAST_CONTRAST = 0.05
"""Least contrast between part and background, as a share of the range 0..1."""
SHARES = (0.01, 0.5)
"""Smallest and largest share of the image that the part may cover."""
LEAST_IN_ONE = 0.9
"""Least share of the foreground in its largest component; the rest is dust."""
LEAST_ELONGATION = 1.5
"""Least elongation of a part whose direction can be found."""
MOST_EXCEPTIONS = 0.1
"""Largest share of exceptions: images that break a rule, and parts that reach into the frame's margin."""
MARGIN = 0.04
"""Margin around the parts, as a share of their length."""
MOST_GROWTH = 1.5
"""Largest growth of the frame's area for a fixed frame.

Parts lie alike if a fixed frame is not larger than this factor.
"""
MOST_OF_IMAGE = 0.5
"""Largest share of the image for a fixed frame, because the frame is there to leave out background."""


def fit_frame(images: Sequence[Array]) -> PartFrame | None:
    """Fit the frame around the part in good images.

    Nearly all images must show one part whose pose can be found; otherwise the result is None.
    Textures, boards, parts that fill the image and parts with two equal ends get no frame (our choice).
    The two ends can be found if the pose makes the parts look more alike than a half turn does.
    The difference between the ends may be small, but it must be consistent.
    Parts that always lie alike get a fixed frame.
    A fixed frame is dropped if it leaves out less than half of the image.

    Args:
        images: [height, width, 3] each, 0..1, at working size and exposure.
    """
    ground, contrast = _ground(images)
    masses = [foreground(as_batch(image), ground, contrast) for image in images]
    parts = [(mass[0].numpy() > 0.5, moments(mass)) for mass in masses]
    is_exception = np.array([not _is_clear(*part) for part in parts])
    if is_exception.sum() > MOST_EXCEPTIONS * len(images):
        return None
    solids, poses = [solid for solid, _ in parts], [found.pose for _, found in parts]
    frame = _frame_around(solids, poses, ground, contrast)
    is_exception |= _are_turned(frame, images, poses)
    if is_exception.sum() > MOST_EXCEPTIONS * len(images):
        return None
    if len({solid.shape for solid in solids}) > 1:
        return frame
    still = _standing_still(frame, solids, poses)
    if _area_px(still) > MOST_GROWTH * _area_px(frame):
        return frame
    return still if _area_px(still) <= MOST_OF_IMAGE * solids[0].size else None


def _standing_still(frame: PartFrame, solids: Sequence[Mask], poses: Sequence[Pose]) -> PartFrame:
    """Return an upright fixed frame at the median centre, which shows nearly all parts."""
    centres = torch.cat([pose.centre for pose in poses]).numpy()
    column, row = (round(float(middle)) for middle in np.median(centres, axis=0))
    upright = [upright_at(column, row)] * len(solids)
    return _frame_around(solids, upright, frame.ground, frame.contrast, (column, row))


def _frame_around(
    solids: Sequence[Mask],
    poses: Sequence[Pose],
    ground: float,
    contrast: float,
    still_at_px: tuple[int, int] | None = None,
) -> PartFrame:
    """Return the frame that shows nearly all parts in the given poses."""
    reaches = [_reach_px(*part) for part in zip(solids, poses, strict=True)]
    sides = np.quantile(reaches, 1 - MOST_EXCEPTIONS, axis=0)
    margin = MARGIN * max(sides[:2].sum(), sides[2:].sum())
    # The speck filter removes this much from the ends.
    back, forth, above, below = (int(np.ceil(side + margin + SPECK_PX)) for side in sides)
    return PartFrame(ground, contrast, back, forth, above, below, still_at_px)


def _area_px(frame: PartFrame) -> int:
    height, width = frame.size_px
    return height * width


def _are_turned(frame: PartFrame, images: Sequence[Array], poses: Sequence[Pose]) -> Mask:
    """Return which parts the pose turns the wrong way round.

    Such a part, cut by its pose, looks less like the mean of all others than after a half turn.
    """
    greys = [as_batch(image.mean(axis=2)) for image in images]
    upright, turned = (
        torch.cat(
            [
                cut_to_part(frame, grey, Pose(pose.centre, sign * pose.axis))
                for grey, pose in zip(greys, poses, strict=True)
            ]
        )
        for sign in (1, -1)
    )
    others = (upright.sum(dim=0) - upright) / max(1, len(images) - 1)
    differences = [(cut - others).abs().mean(dim=(1, 2, 3)) for cut in (upright, turned)]
    return (differences[0] >= differences[1]).numpy()


def _ground(images: Sequence[Array]) -> tuple[float, float]:
    """Return the grey of the background, and the contrast that separates a part from it.

    The background is the median at the image borders.
    The contrast is twice the deviation at the borders, or half of the foreground's deviation if larger.
    A shadow deviates less than the part that throws it.
    """
    greys = [image.mean(axis=2) for image in images]
    edges = np.concatenate([outermost(grey) for grey in greys])
    ground = float(np.median(edges))
    least = max(LEAST_CONTRAST, 2 * float(np.quantile(np.abs(edges - ground), 0.9)))
    differences = [np.abs(grey - ground) for grey in greys]
    apart = [float(one[one > least].mean()) for one in differences if (one > least).any()]
    return ground, max(least, float(np.median(apart)) / 2 if apart else 0.0)


def _is_clear(solid: Mask, found: PartMoments) -> bool:
    """Return True if there is one part, inside the image, with a clear axis."""
    labels, count = ndimage.label(solid)
    if not count:
        return False
    sizes = np.bincount(labels.ravel())[1:]
    is_one_within = (
        sizes.max() >= LEAST_IN_ONE * sizes.sum()
        and not (outermost(labels) == 1 + sizes.argmax()).any()
    )
    has_axis = (
        SHARES[0] <= float(found.share) <= SHARES[1] and float(found.elongation) >= LEAST_ELONGATION
    )
    return bool(is_one_within and has_axis)


def _reach_px(solid: Mask, pose: Pose) -> list[float]:
    """Return how far the part reaches from the pose's centre: back, forth, above and below, in pixels.

    Each value is the 0.999 quantile over the pixels of the part.
    """
    rows, columns = np.nonzero(solid)
    (x, y), (dx, dy) = pose.centre[0].tolist(), pose.axis[0].tolist()
    along = (columns - x) * dx + (rows - y) * dy
    across = (rows - y) * dx - (columns - x) * dy
    if not rows.size:
        return [0.0] * 4
    return [float(np.quantile(side, 0.999)) for side in (-along, along, -across, across)]
