"""Whether good images show one part each before plain ground, and the frame that then fits them."""

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
"""Of the range 0..1: a part that differs less from the ground is not told from it."""
SHARES = (0.01, 0.5)
"""Of the image that the part covers, at least and at most."""
LEAST_IN_ONE = 0.9
"""Of the foreground: one part, and dust."""
LEAST_ELONGATION = 1.5
"""Of a part whose direction can be told."""
MOST_EXCEPTIONS = 0.1
"""Of the images that may break a rule, and of the parts that may reach into the margin of the frame."""
MARGIN = 0.04
"""Around the parts, of their length."""
MOST_GROWTH = 1.5
"""Of the frame's area when it stands still: parts lie alike if that does not make it larger."""
MOST_OF_IMAGE = 0.5
"""That a frame which stands still may show: it is there to leave ground out."""


def fit_frame(images: Sequence[Array]) -> PartFrame | None:
    """The frame of the part in good images; None unless nearly all show one part in a pose that can be told.

    Textures, boards and parts that fill the image or look alike from both ends have none (our choice). Both
    ends can be told apart where, turned by its pose, a part looks more like all others than turned the other
    way round: what the pose goes by may differ by ever so little, as long as it always does. Where parts
    always lie alike the frame stands still, or is left away if it would not leave out half of the image.

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
    """The frame that shows nearly all parts without following them: upright, where most of them lie."""
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
    """The frame that shows nearly all parts when it lies as the poses say."""
    reaches = [_reach_px(*part) for part in zip(solids, poses, strict=True)]
    sides = np.quantile(reaches, 1 - MOST_EXCEPTIONS, axis=0)
    margin = MARGIN * max(sides[:2].sum(), sides[2:].sum())
    # The rule for specks takes as much from the ends.
    back, forth, above, below = (int(np.ceil(side + margin + SPECK_PX)) for side in sides)
    return PartFrame(ground, contrast, back, forth, above, below, still_at_px)


def _area_px(frame: PartFrame) -> int:
    height, width = frame.size_px
    return height * width


def _are_turned(frame: PartFrame, images: Sequence[Array], poses: Sequence[Pose]) -> Mask:
    """Which parts, cut by their poses, look less like the mean of all others than turned by half a turn."""
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
    """The grey at the edges of the images, and the contrast that tells a part from it.

    Twice of what the edges differ by, or half of what that foreground differs by: a shadow differs less
    than the part that throws it.
    """
    greys = [image.mean(axis=2) for image in images]
    edges = np.concatenate([outermost(grey) for grey in greys])
    ground = float(np.median(edges))
    least = max(LEAST_CONTRAST, 2 * float(np.quantile(np.abs(edges - ground), 0.9)))
    differences = [np.abs(grey - ground) for grey in greys]
    apart = [float(one[one > least].mean()) for one in differences if (one > least).any()]
    return ground, max(least, float(np.median(apart)) / 2 if apart else 0.0)


def _is_clear(solid: Mask, found: PartMoments) -> bool:
    """Whether there is one part, all of it within the image, with an axis that can be told."""
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
    """How far nearly all of the part reaches from the pose's centre: back, forth, and to either side."""
    rows, columns = np.nonzero(solid)
    (x, y), (dx, dy) = pose.centre[0].tolist(), pose.axis[0].tolist()
    along = (columns - x) * dx + (rows - y) * dy
    across = (rows - y) * dx - (columns - x) * dy
    if not rows.size:
        return [0.0] * 4
    return [float(np.quantile(side, 0.999)) for side in (-along, along, -across, across)]
