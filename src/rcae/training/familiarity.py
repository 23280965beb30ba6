"""What good images look like to the finished CRD: its features, and how far they and its map spread."""

from collections.abc import Iterator

import numpy as np
import torch

from rcae.data.training_set import TrainingSet, draw_light, relit
from rcae.inference import as_tensor
from rcae.model.system import RcaeSystem
from rcae.progress import shown

MOST_IMAGES = 48
"""Enough by far: each gives thousands of positions, for some hundred features."""


def image_count(system: RcaeSystem, images: TrainingSet) -> int:
    """How many images `learn_good_features` will look at, each of them twice."""
    return 2 * min(len(images), MOST_IMAGES) if system.distance is not None else 0


@torch.inference_mode()
def learn_good_features(
    system: RcaeSystem, images: TrainingSet, seed: int, light_spread: float
) -> None:
    """Fit the system's feature distance and its unit, if it has one, on training images drawn by the seed.

    Each under light drawn from the same spread as in training.
    """
    if system.distance is None or system.strongest is None:
        return
    random = np.random.default_rng([seed, 5])
    chosen = [int(index) for index in random.permutation(len(images))[:MOST_IMAGES]]
    lights = {index: draw_light(light_spread, random) for index in chosen}

    def batches(purpose: str) -> Iterator[torch.Tensor]:
        for index in shown(chosen, purpose):
            yield as_tensor(relit(images.image(index), lights[index]), system)

    system.distance.fit(map(system.features, batches("learning how good images look to CRD")))
    peaks = [
        system.evidence(batch).amax(dim=(0, 2, 3)).tolist()
        for batch in batches("measuring what is usual in them")
    ]
    system.strongest.fit(peaks)
