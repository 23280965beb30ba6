"""The three stages of training: what each trains, what it draws per step, and its loss."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from rcae.data.pseudo_anomalies import paint_anomalies
from rcae.data.training_set import TrainingSet, extended
from rcae.losses import PixelTerm, detection_loss, reconstruction_loss
from rcae.model.system import RcaeSystem
from rcae.settings import STAGES, Settings
from rcae.training import processes
from rcae.training.forward import Forward, as_in_training


@dataclass(frozen=True)
class Batch:
    """Everything random about one step, drawn from the seed, the stage and the step number alone."""

    image: Tensor
    """[batch, 3, height, width], 0..1; painted in stage 3."""
    mask: Tensor
    """[batch, height, width]: 1 where a pseudo anomaly was painted."""
    depth: int
    """n, the recursion depth trained in this step of stages 1 and 2."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device; at once, or from pinned memory while the caller goes on."""
        image, mask = (part.to(device, non_blocking=True) for part in (self.image, self.mask))
        return Batch(image, mask, self.depth)

    def pin_memory(self) -> "Batch":
        """The same batch in memory that a GPU can read by itself."""
        return Batch(self.image.pin_memory(), self.mask.pin_memory(), self.depth)


@dataclass(frozen=True)
class Stage:
    """One of the three stages; `loss` trains `module` and leaves everything before it frozen."""

    name: str
    module: nn.Module
    draw: Callable[[int], Batch]
    loss: Callable[[Batch], Tensor]


def build_stages(system: RcaeSystem, images: TrainingSet, settings: Settings) -> list[Stage]:
    """The stages that this system needs, in the order of the paper."""

    networks = (system.reconstruction, system.detail, system.detection)
    forwards: tuple[Forward, ...] = (system.reconstruct, system.refine, system.detect)
    detection = partial(stage_3_loss, pixel_term=settings.training.detection_loss)
    losses: tuple[Callable[..., Tensor], ...] = (stage_1_loss, stage_2_loss, detection)
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


def draw_batch(
    images: TrainingSet, settings: Settings, stage: int, step: int, *, paint: bool
) -> Batch:
    """This process's share of the batch of one step: windows of shuffled good images, painted or not."""
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
    windows, masks = [], []
    for index, random in zip(indices[own], randoms[own], strict=True):
        window = images.window(index, side_px, multiple_px, random)
        mask = np.zeros(window.shape[:2], dtype=np.bool_)
        if paint and random.random() < training.anomalous_share:
            donor = images.image(int(random.integers(len(images))))
            window, mask = paint_anomalies(window, donor, random)
        windows.append(extended(window, side_px))
        masks.append(extended(mask, side_px))
    return Batch(
        image=torch.from_numpy(np.stack(windows))
        .permute(0, 3, 1, 2)
        .contiguous(memory_format=torch.channels_last),
        mask=torch.from_numpy(np.stack(masks)).float(),
        depth=int(step_random.integers(1, settings.model.recursion_depth + 1)),
    )
