"""Fitting of the evidence: what good images look like, and how much each kind can be trusted.

No image is judged by what it has itself shown, nor by images that look alike. Training images are learnt in
folds, and each fold is judged by the others. A held-out image lies in the fold of those that look like it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

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
class Fold:
    """Images to judge while no kind judges by what they, or images alike, have shown."""

    training: list[int]
    """Places of training images."""
    held_out: list[int]
    """Places of held-out images."""


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
        held_out: good images at working size that were not trained on; without them, the weights stay.
        seed: draws the images.
    """

    def __init__(
        self,
        system: RcaeSystem | MemorySystem,
        images: TrainingSet,
        held_out: Sequence[Array],
        seed: int,
    ) -> None:
        self._system, self._images, self._held_out = system, images, held_out
        self._seed = seed
        self._settled: dict[int | None, list[dict[str, Tensor]]] = {}
        random = np.random.default_rng([seed, 5])
        self._order = [int(index) for index in random.permutation(len(images))]
        self._folds: list[Fold] = []

    def in_folds(self) -> Iterator[Fold]:
        """Yield the folds after `learn`, none without kinds; the kinds then judge by all images again."""
        for place, fold in enumerate(self._folds):
            self._settle(without=place)
            yield Fold(fold.training[: MOST_JUDGED // FOLDS], fold.held_out)
        if self._folds:
            self._settle()

    @torch.inference_mode()
    def learn(self) -> list[MapRecord]:
        """Fit every kind, the units of the maps that are added up, and their weights.

        Returns:
            The record of every map; none if there are no kinds.
        """
        system = self._system
        if system.fusion is None:
            return []
        self._learn_kinds()
        trained_on: list[Numbers] = []
        held_out: list[Numbers] = []
        painted: list[Numbers] = []
        for fold in self.in_folds():
            trained_on += [
                self._peaks(self._images.image(place))
                for place in shown(fold.training, "judging good images by the others")
            ]
            for place in shown(fold.held_out, "judging held-out images, some of them painted"):
                held_out.append(self._peaks(self._held_out[place]))
                copies = range(place, MOST_PAINTED, len(self._held_out))
                painted += [self._peaks(self._painted(place, copy)) for copy in copies]
        system.fusion.fit(np.stack(trained_on + held_out))
        aurocs: Sequence[float | None] = [None] * len(system.evidence_names)
        if painted:
            aurocs = system.fusion.weigh(np.stack(held_out), np.stack(painted)).tolist()
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
        learnt = (self._images.image(index) for index in chosen)
        fold_of = alike_in_one_fold(chain(learnt, self._held_out))
        self._folds = [Fold([], []) for _ in range(FOLDS)]
        for place, fold in enumerate(fold_of):
            if place < len(chosen):
                self._folds[fold].training.append(chosen[place])
            else:
                self._folds[fold].held_out.append(place - len(chosen))
        for place, index in enumerate(shown(chosen, "learning how good images look")):
            for part in self._parts(self._images.image(index)):
                sight = self._system.sight(part)
                for kind in kinds:
                    if place < kind.most_images:
                        kind.learn(kind.features(sight), fold_of[place])

    def _painted(self, place: int, copy: int) -> Array:
        """Return a held-out image with an anomaly; every copy has another one."""
        return paint_unseen(self._held_out[place], np.random.default_rng([self._seed, 6, copy]))

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
