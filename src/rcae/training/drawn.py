"""A batch is drawn: windows of good images, and for stage 3 what is painted on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rcae.base.arrays import Array, Mask
from rcae.base.settings import Settings
from rcae.training.painting.good_variation import varied
from rcae.training.painting.plain_patches import paint_plain_patches, plain_share
from rcae.training.painting.pseudo_anomalies import PAINTERS, Painter
from rcae.training.painting.seams import SEAM_SHARE, paint_seam
from rcae.training.training_set import TrainingSet, extended

WHOLE = slice(None)
"""The share of a training in a single process: every window of a batch."""


@dataclass(frozen=True)
class Batch:
    """Everything random about one step, drawn from the seed, the stage and the step number alone."""

    image: Tensor
    """Windows, [batch, 3, height, width], float32, 0..1; painted in stage 3."""
    mask: Tensor
    """M_P, [batch, height, width], float32: 1 where a pseudo anomaly was painted, else 0."""
    good: Tensor | None
    """The windows as stage 3 should restore them, as `image`; None in the other stages."""
    depth: int
    """n, the recursion depth trained in this step of stages 1 and 2."""

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch on another device; from pinned memory it moves while the caller goes on."""
        return self._changed(lambda part: part.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Return the same batch in memory that a GPU can read by itself."""
        return self._changed(Tensor.pin_memory)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        good = None if self.good is None else change(self.good)
        return Batch(change(self.image), change(self.mask), good, self.depth)


def draw_batch(
    images: TrainingSet,
    settings: Settings,
    stage: int,
    step: int,
    *,
    paint: bool,
    share: slice = WHOLE,
) -> Batch:
    """Return the batch of one step, or a share of it.

    Threads draw beside the training, so nothing is computed with torch here. A thread that does keeps a
    team of threads of its own, which takes the cores from the networks.

    Args:
        images: good images to cut windows from.
        settings: seed, batch size, window size and recursion depth count.
        stage: 0, 1 or 2.
        step: counted from 0.
        paint: true for stage 3: windows are varied if the settings ask, and most are painted on.
        share: the windows of the batch to draw; each is the same in every share.

    Raises:
        ImageError: an image cannot be decoded.
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
    windows, goods, masks = [], [], []
    for index, random in zip(indices[share], randoms[share], strict=True):
        window = images.window(index, side_px, multiple_px, random)
        good, mask = window, np.zeros(window.shape[:2], dtype=np.bool_)
        if paint:
            window, good, mask = _painted(
                window, images, settings, _plain_share(settings, step), random
            )
        windows.append(extended(window, side_px))
        goods.append(good)
        masks.append(extended(mask, side_px))
    return Batch(
        image=_as_tensor(windows),
        mask=torch.from_numpy(np.stack(masks).astype(np.float32)),
        good=_as_tensor([extended(good, side_px) for good in goods]) if paint else None,
        depth=int(step_random.integers(1, settings.model.recursion_depth + 1)),
    )


def _plain_share(settings: Settings, step: int) -> float:
    """Return the share of the windows of this step of stage 3 that get plain patches."""
    training = settings.training
    if not training.plain_first:
        return 0.0
    # A length in epochs becomes one in steps before training; only the measuring has none.
    return plain_share(min(step / (training.detection.steps or np.inf), 1.0))


def _painted(
    window: Array,
    images: TrainingSet,
    settings: Settings,
    plain: float,
    random: np.random.Generator,
) -> tuple[Array, Array, Mask]:
    """Return a window of stage 3, its restoration target, and the mask of what is anomalous.

    A seam is to be found but not restored: nobody can tell which of its two sides is right. A window of
    plain patches has none.

    Args:
        window: [height, width, 3], float32, 0..1.
        images: the donors.
        settings: those of the training.
        plain: share of the windows that get plain patches.
        random: draws everything.
    """
    training = settings.training
    if training.varied:
        window = varied(window, random, mirrored=not images.in_one_pose)
    mask = np.zeros(window.shape[:2], dtype=np.bool_)
    is_plain = plain > 0 and random.random() < plain
    if not is_plain and random.random() < SEAM_SHARE:
        window, mask = paint_seam(window, random)
    good = window
    if random.random() < training.anomalous_share:
        if is_plain:
            window, painted = paint_plain_patches(good, random)
        else:
            donor = images.image(int(random.integers(len(images))))
            window, painted = _painter(training.pseudo_anomalies, random)(good, donor, random)
        mask = mask | painted
    return window, good, mask


def _painter(names: Sequence[str], random: np.random.Generator) -> Painter:
    """Return one of the painters; a single one is not drawn, so that the other draws stay as they are."""
    return PAINTERS[names[int(random.integers(len(names))) if len(names) > 1 else 0]]


def _as_tensor(windows: list[Array]) -> Tensor:
    return torch.from_numpy(np.stack(windows)).permute(0, 3, 1, 2)  # channels last, as it lies
