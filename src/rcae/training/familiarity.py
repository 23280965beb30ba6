"""What good images look like to the finished CRD: the mean and covariance of its features."""

from collections.abc import Iterator

import numpy as np
import torch

from rcae.data.training_set import TrainingSet
from rcae.inference import as_tensor
from rcae.model.system import RcaeSystem
from rcae.progress import shown

MOST_IMAGES = 48
"""Enough by far: each gives thousands of positions, for some hundred features."""


def image_count(system: RcaeSystem, images: TrainingSet) -> int:
    """How many training images `learn_good_features` will look at."""
    return min(len(images), MOST_IMAGES) if system.distance is not None else 0


@torch.inference_mode()
def learn_good_features(system: RcaeSystem, images: TrainingSet, seed: int) -> None:
    """Fit the system's feature distance, if it has one, to training images drawn by the seed."""
    if system.distance is None:
        return
    order = np.random.default_rng([seed, 5]).permutation(len(images))
    chosen = [int(index) for index in order[: image_count(system, images)]]

    def features() -> Iterator[torch.Tensor]:
        for index in shown(chosen, "learning how good images look to CRD"):
            yield system.features(as_tensor(images.image(index), system))

    system.distance.fit(features())
