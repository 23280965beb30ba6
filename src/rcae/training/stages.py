"""The three stages of training: what each trains, what it draws per step, and its loss."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from rcae.base.arrays import Array, Mask
from rcae.base.settings import STAGES, Settings
from rcae.model.evidence.restoration import restoration_loss
from rcae.model.paper.losses import PixelTerm, detection_loss, reconstruction_loss
from rcae.model.system import RcaeSystem
from rcae.training import processes
from rcae.training.painting.good_variation import varied
from rcae.training.painting.pseudo_anomalies import paint_anomalies
from rcae.training.painting.seams import SEAM_SHARE, paint_seam
from rcae.training.precision import Forward, as_in_training
from rcae.training.training_set import TrainingSet, extended

RESTORATION_WEIGHT = 3.0
"""Of the restored image beside the map (our choice: with 1 the cells kept for development have more false
alarms, see `docs/experiments.md`)."""


@dataclass(frozen=True)
class Batch:
    """Everything random about one step, drawn from the seed, the stage and the step number alone."""

    image: Tensor
    """[batch, 3, height, width], 0..1; painted in stage 3."""
    mask: Tensor
    """[batch, height, width]: 1 where a pseudo anomaly was painted."""
    good: Tensor | None
    """The image before that, in stage 3."""
    depth: int
    """n, the recursion depth trained in this step of stages 1 and 2."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device; at once, or from pinned memory while the caller goes on."""
        return self._changed(lambda part: part.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """The same batch in memory that a GPU can read by itself."""
        return self._changed(Tensor.pin_memory)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        good = None if self.good is None else change(self.good)
        return Batch(change(self.image), change(self.mask), good, self.depth)


@dataclass(frozen=True)
class Stage:
    """One of the three stages; `loss` trains `module` and leaves everything before it frozen."""

    name: str
    module: nn.Module
    draw: Callable[[int], Batch]
    loss: Callable[[Batch], Tensor]


def build_stages(system: RcaeSystem, images: TrainingSet, settings: Settings) -> list[Stage]:
    """The stages that this system needs, in the order of the paper."""

    networks = (system.reconstruction, system.detail, system.trained_with_detection)
    restores = settings.model.restoration
    detect = system.detect_and_restore if restores else system.detect
    forwards: tuple[Forward, ...] = (system.reconstruct, system.refine, detect)
    loss_of_detection = partial(
        restoring_stage_3_loss if restores else stage_3_loss,
        pixel_term=settings.training.detection_loss,
    )
    losses: tuple[Callable[..., Tensor], ...] = (stage_1_loss, stage_2_loss, loss_of_detection)
    return [
        Stage(
            name,
            network,
            partial(draw_batch, images, settings, number, paint=name == "detection"),
            partial(loss, as_in_training(forward, settings.training)),
        )
        for number, (name, network, forward, loss) in enumerate(
            zip(STAGES, networks, forwards, losses, strict=True)
        )
        if network is not None
    ]


def stage_1_loss(reconstruct: Forward, batch: Batch) -> Tensor:
    """||I - I_R^n||_1 + ||I' - I_R^n'||_1, n drawn at random for each batch."""
    return reconstruction_loss(reconstruct(batch.image, batch.depth), batch.image)


def stage_2_loss(refine: Forward, batch: Batch) -> Tensor:
    """||I_D^n - I||_1 + ||I_D^n' - I'||_1, RcAE frozen; one random n per batch (our choice)."""
    return reconstruction_loss(refine(batch.image, batch.depth), batch.image)


def stage_3_loss(detect: Forward, batch: Batch, *, pixel_term: PixelTerm) -> Tensor:
    """||M_A - M_P||_2 + ||M_A' - M_P'||_2 on painted images, RcAE and DPN frozen."""
    return detection_loss(detect(batch.image), batch.mask, pixel_term, averaged=processes.average)


def restoring_stage_3_loss(
    detect_and_restore: Forward, batch: Batch, *, pixel_term: PixelTerm
) -> Tensor:
    """That, and how far the restored image is from the good one that was painted on (our addition)."""
    assert batch.good is not None
    drawn = detect_and_restore(batch.image)
    of_map = detection_loss(drawn[:, 0], batch.mask, pixel_term, averaged=processes.average)
    of_image = restoration_loss(drawn[:, 1:], batch.good, batch.mask, averaged=processes.average)
    return of_map + RESTORATION_WEIGHT * of_image


def draw_batch(
    images: TrainingSet, settings: Settings, stage: int, step: int, *, paint: bool
) -> Batch:
    """This process's share of the batch of one step: windows of shuffled good images.

    With `paint` they are varied, where the settings ask, and most of them painted on. Drawn in threads
    beside the training, so torch only gets to hold the result: a thread in which it computes has a team of
    threads of its own from then on, which take the cores from the networks while they wait.
    """
    training = settings.training
    step_random = np.random.default_rng([settings.seed, stage, step])
    count, multiple_px = training.batch_size, settings.model.size_multiple
    # No larger than the images as prediction extends them: the rest would be their repeated edge.
    largest_px = images.largest_side_px
    side_px = min(training.crop_px, largest_px + -largest_px % multiple_px)
    indices = images.order(step * count, count, [settings.seed, stage])
    # A generator for each window: any of them can be drawn without the others.
    randoms = step_random.spawn(count)
    own = processes.share()
    windows, goods, masks = [], [], []
    for index, random in zip(indices[own], randoms[own], strict=True):
        window = images.window(index, side_px, multiple_px, random)
        good, mask = window, np.zeros(window.shape[:2], dtype=np.bool_)
        if paint:
            window, good, mask = _painted(window, images, settings, random)
        windows.append(extended(window, side_px))
        goods.append(good)
        masks.append(extended(mask, side_px))
    return Batch(
        image=_as_tensor(windows),
        mask=torch.from_numpy(np.stack(masks).astype(np.float32)),
        good=_as_tensor([extended(good, side_px) for good in goods]) if paint else None,
        depth=int(step_random.integers(1, settings.model.recursion_depth + 1)),
    )


def _painted(
    window: Array, images: TrainingSet, settings: Settings, random: np.random.Generator
) -> tuple[Array, Array, Mask]:
    """What stage 3 sees of a good window, how it should restore it, and what is anomalous there.

    A seam is to be found but not restored: which of its two sides is right cannot be told.
    """
    training = settings.training
    if training.varied:
        window = varied(window, random, mirrored=not images.in_one_pose)
    mask = np.zeros(window.shape[:2], dtype=np.bool_)
    if random.random() < SEAM_SHARE:
        window, mask = paint_seam(window, random)
    good = window
    if random.random() < training.anomalous_share:
        donor = images.image(int(random.integers(len(images))))
        window, painted = paint_anomalies(good, donor, random)
        mask = mask | painted
    return window, good, mask


def _as_tensor(windows: list[Array]) -> Tensor:
    return torch.from_numpy(np.stack(windows)).permute(0, 3, 1, 2)  # channels last, as it lies
