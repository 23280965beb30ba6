"""Folds of good images: images that look alike lie in one fold, and are judged by those that do not."""

from collections.abc import Iterable

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from rcae.base.arrays import Array
from rcae.data.images import resize
from rcae.model.evidence.evidence import FOLDS

THUMBNAIL_PX = 16
"""Images are compared at this height and width."""
GROUPS = 16
"""Images form at most so many groups of alike ones (our choice)."""


def alike_in_one_fold(images: Iterable[Array]) -> list[int]:
    """Return the fold of each image, 0 to FOLDS - 1; folds have about the same size.

    Good images often come in series: of one part, one position, one day. A random fold is judged by its own
    series, and the next series then raises false alarms. Groups of alike images are therefore never divided
    (our choice). Only a group larger than a fold is: it is the ordinary look, and no series.

    Args:
        images: [height, width, 3] each, float32, 0..1, at least two of them.
    """
    thumbnails = np.stack([resize(one, THUMBNAIL_PX, THUMBNAIL_PX).ravel() for one in images])
    groups = fcluster(linkage(thumbnails, "ward"), GROUPS, "maxclust") - 1
    is_divided = np.bincount(groups)[groups] * FOLDS > len(groups)
    groups[is_divided] = groups.max() + 1 + np.arange(is_divided.sum())
    sizes = np.bincount(groups)
    fold_of, filled = np.zeros(len(sizes), dtype=int), np.zeros(FOLDS, dtype=int)
    for group in np.argsort(-sizes, kind="stable"):
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return [int(fold) for fold in fold_of[groups]]
