"""Fitting of the evidence: good images as the finished CRD sees them, and as a whole."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from rcae.base.arrays import Array
from rcae.base.progress import shown
from rcae.detector.runners.torch_maps import as_batch
from rcae.model.evidence.fusion import peaks_of
from rcae.model.evidence.thumbnail_distance import thumbnails
from rcae.model.system import RcaeSystem
from rcae.model.tiles import tiles
from rcae.training.training_set import TrainingSet

MOST_IMAGES = 48
"""Enough by far: each gives thousands of positions, for some hundred features."""
MOST_THUMBNAILS = 512
"""Each gives one value for each place; they cost next to nothing."""


def image_count(system: RcaeSystem, images: TrainingSet) -> int:
    """Return the number of looks at an image that `learn_good_features` takes."""
    looks = len(system.kinds) + 1 if system.kinds else 0
    return looks * min(len(images), MOST_IMAGES)


def learn_good_features(system: RcaeSystem, images: TrainingSet, seed: int) -> None:
    """Fit the system's distances and their units, if it has any, on training images drawn by the seed."""
    random = np.random.default_rng([seed, 5])
    order = [int(index) for index in random.permutation(len(images))]
    _learn_features(system, images, order[:MOST_IMAGES])
    _learn_thumbnails(system, images, order[:MOST_THUMBNAILS])


@torch.inference_mode()
def _learn_features(system: RcaeSystem, images: TrainingSet, chosen: Sequence[int]) -> None:
    """Fit every kind of evidence, and the units of the maps that are added up.

    Tiles of a large image count as images: the networks see beyond their edges in the same way.
    """
    if system.fusion is None:
        return

    def images_in_parts(purpose: str) -> Iterator[Iterator[Tensor]]:
        for index in shown(chosen, purpose):
            yield _parts(images.image(index), system)

    for kind in system.kinds:
        parts = chain.from_iterable(images_in_parts("learning how good images look to CRD"))
        kind.fit(kind.features(system.sight(part)) for part in parts)
    peaks = [
        np.max([peaks_of(system.evidence(part))[0].cpu().numpy() for part in image], axis=0)
        for image in images_in_parts("measuring what is usual in them")
    ]
    system.fusion.fit(np.stack(peaks))


@torch.inference_mode()
def _learn_thumbnails(system: RcaeSystem, images: TrainingSet, chosen: Sequence[int]) -> None:
    """Fit the thumbnail distance."""
    if system.thumbnail is None:
        return
    small = (thumbnails(as_batch(images.image(index), system)) for index in chosen)
    learnt = shown(small, "learning how good images look whole", len(chosen))
    system.thumbnail.fit(torch.cat(list(learnt)))


def _parts(image: Array, system: RcaeSystem) -> Iterator[Tensor]:
    for tile in tiles(*image.shape[:2]):
        yield as_batch(image[tile.rows, tile.columns], system)
