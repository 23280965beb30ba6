"""Fitting of the evidence: what good images look like, and how much each kind can be trusted.

No image is judged by what it has itself shown. Training images are learnt in folds, and each fold is judged
by the others. Held-out images are judged by all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rcae.base.arrays import Array, Numbers
from rcae.base.progress import shown
from rcae.detector.runners.torch_maps import as_batch
from rcae.model.evidence.evidence import FOLDS
from rcae.model.evidence.fusion import peaks_of
from rcae.model.memory_system import MemorySystem
from rcae.model.system import RcaeSystem
from rcae.model.tiles import tiles
from rcae.training.folds import alike_in_one_fold
from rcae.training.painting.unseen_anomalies import paint_unseen
from rcae.training.training_set import TrainingSet

MOST_JUDGED = 32
"""Training images that are judged as new ones are."""
SHORT_LOOK = 0.4
"""Share of a look that pretrained features alone take, about."""
SETTLING_LOOKS = 25
"""Looks that take as long as choosing the patches of all memories for every fold, about."""
MOST_PAINTED = 24
"""Held-out images that anomalies are painted on, to weigh the kinds."""


@dataclass(frozen=True)
class MapRecord:
    """Unit and weight of one of the maps that are added up."""

    name: str
    usual: float
    """Median of its peaks on good images."""
    spread: float
    """Interquartile range of its peaks."""
    auroc: float | None
    """AUROC of its peaks on held-out images against painted copies; None without such images."""
    weight: float


class GoodFeatures:
    """The good images of a run, for the evidence of one system to learn and to be judged by.

    Args:
        system: its kinds are fitted in place; without kinds nothing is done.
        images: the training images.
        seed: draws the images.
    """

    def __init__(self, system: RcaeSystem | MemorySystem, images: TrainingSet, seed: int) -> None:
        self._system, self._images, self._seed = system, images, seed
        self._settled: dict[int | None, list[dict[str, Tensor]]] = {}
        random = np.random.default_rng([seed, 5])
        self._order = [int(index) for index in random.permutation(len(images))]
        self._folds: list[list[int]] = [[] for _ in range(FOLDS)]

    def in_folds(self) -> Iterator[list[int]]:
        """Yield places of training images, while no kind judges by what these images have shown.

        The kinds judge by all again after the last images. Nothing is yielded without kinds.
        """
        for fold in range(FOLDS if self._system.kinds else 0):
            self._settle(without=fold)
            yield self._folds[fold][: MOST_JUDGED // FOLDS]
        self._settle()

    @torch.inference_mode()
    def learn(self, held_out: Sequence[Array]) -> list[MapRecord]:
        """Fit every kind, the units of the maps that are added up, and their weights.

        Args:
            held_out: good images at working size that were not trained on; without them, the weights stay.

        Returns:
            The record of every map; none if there are no kinds.
        """
        system = self._system
        if system.fusion is None:
            return []
        self._learn_kinds()
        good = [
            self._peaks(self._images.image(place))
            for places in self.in_folds()
            for place in shown(places, "judging good images by the others")
        ]
        held_out_peaks = [
            self._peaks(image)
            for image in shown(held_out, "measuring what is usual in held-out images")
        ]
        system.fusion.fit(np.stack(good + held_out_peaks))
        aurocs: Sequence[float | None] = [None] * len(system.evidence_names)
        if held_out:
            aurocs = self._weigh(held_out[:MOST_PAINTED], held_out_peaks[:MOST_PAINTED])
        rows = zip(
            system.evidence_names,
            system.fusion.usual.tolist(),
            system.fusion.spread.tolist(),
            aurocs,
            system.fusion.weight.tolist(),
            strict=True,
        )
        return [MapRecord(*row) for row in rows]

    def forget(self) -> None:
        """Free what the kinds remember beside what they have settled."""
        self._settled.clear()
        for kind in self._system.kinds:
            kind.forget()

    def _settle(self, without: int | None = None) -> None:
        """Settle every kind; what is settled once is remembered, because a coreset takes seconds."""
        kinds = self._system.kinds
        if without not in self._settled:
            for kind in kinds:
                kind.settle(without)
            self._settled[without] = [
                {name: buffer.clone() for name, buffer in kind.state_dict().items()}
                for kind in kinds
            ]
        for kind, settled in zip(kinds, self._settled[without], strict=True):
            kind.load_state_dict(settled)

    def _learn_kinds(self) -> None:
        """Show each kind as many images as it wants, tile by tile."""
        self._settled.clear()
        kinds = self._system.kinds
        chosen = self._order[: max(kind.most_images for kind in kinds)]
        folds = alike_in_one_fold(self._images.image(index) for index in chosen)
        self._folds = [
            [index for index, own in zip(chosen, folds, strict=True) if own == fold]
            for fold in range(FOLDS)
        ]
        for place, index in enumerate(shown(chosen, "learning how good images look")):
            for part in self._parts(self._images.image(index)):
                sight = self._system.sight(part)
                for kind in kinds:
                    if place < kind.most_images:
                        kind.learn(kind.features(sight), folds[place])

    def _weigh(self, images: Sequence[Array], good: Sequence[Numbers]) -> list[float]:
        """Set the weights from painted copies of images, and return the AUROC of each map."""
        random = np.random.default_rng([self._seed, 6])
        repeated = [images[place % len(images)] for place in range(MOST_PAINTED)]
        painted = [
            self._peaks(paint_unseen(image, random))
            for image in shown(repeated, "weighing the evidence on painted images")
        ]
        assert self._system.fusion is not None
        aurocs: list[float] = self._system.fusion.weigh(np.stack(good), np.stack(painted)).tolist()
        return aurocs

    def _peaks(self, image: Array) -> Numbers:
        """Return the largest value of each map of the evidence in an image, [map]."""
        peaks = [
            peaks_of(self._system.evidence(part))[0].cpu().numpy() for part in self._parts(image)
        ]
        highest: Numbers = np.max(peaks, axis=0)
        return highest

    def _parts(self, image: Array) -> Iterator[Tensor]:
        for tile in tiles(*image.shape[:2]):
            yield as_batch(image[tile.rows, tile.columns], self._system)


def looks_to_learn(system: RcaeSystem, training: int, held_out: int) -> int:
    """Return the number of looks at an image that learning and judging take, about.

    Args:
        system: its kinds will be fitted.
        training: number of training images.
        held_out: number of images that were not trained on.
    """
    if not system.kinds:
        return 0
    wanted = [min(training, kind.most_images) for kind in system.kinds]
    learnt = min(wanted) + round(SHORT_LOOK * (max(wanted) - min(wanted)))
    settling = SETTLING_LOOKS if system.pretrained is not None else 0
    return learnt + settling + 2 * min(training, MOST_JUDGED) + held_out + MOST_PAINTED
