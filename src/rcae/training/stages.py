"""The three stages of training: which network each trains, on which batches, by which loss."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from rcae.base.settings import Settings
from rcae.model.evidence.restoration import restoration_loss
from rcae.model.paper.losses import DETECTION_LOSSES, DetectionLoss, reconstruction_loss
from rcae.model.system import RcaeSystem
from rcae.training.drawn import WHOLE, Batch, draw_batch
from rcae.training.precision import Forward, as_in_training
from rcae.training.training_set import TrainingSet

Average = Callable[[Tensor], Tensor]
"""The mean of a scalar over all processes that share a batch."""

RESTORATION_WEIGHT = 3.0
"""Weight of the restored image beside the map; more false alarms stay with 1 (our choice)."""


@dataclass(frozen=True)
class Stage:
    """One of the three stages; it trains one network and leaves those before it frozen."""

    name: str
    """One of `STAGES`, also the name of the network in `RcaeSystem`."""
    module: nn.Module
    """The network that is trained."""
    draw: Callable[[int], Batch]
    """The batch of a step, counted from 0."""
    loss: Callable[[Batch], Tensor]
    """The loss of a batch, a float32 scalar with gradients."""


def build_stages(
    system: RcaeSystem,
    images: TrainingSet,
    settings: Settings,
    *,
    share: slice = WHOLE,
    average: Average = lambda mean: mean,
) -> list[Stage]:
    """Return the stages that a system needs, in the order of the paper; a network left out has none.

    Args:
        system: its networks are trained in place.
        images: the good images to draw from.
        settings: those that the system was made with.
        share: the windows that this process draws of every batch.
        average: the mean over all processes that share a batch.
    """
    training = settings.training
    forward = partial(as_in_training, training=training)
    draw = partial(draw_batch, images, settings, share=share)

    stages = [
        Stage(  # 1, RcAE: ||I - I_R^n||_1 + ||I' - I_R^n'||_1
            "reconstruction",
            system.reconstruction,
            draw=partial(draw, 0, paint=False),
            loss=partial(stage_1_loss, forward(system.reconstruct)),
        )
    ]
    if system.detail is not None:
        stages.append(
            Stage(  # 2, DPN: ||I_D^n - I||_1 + ||I_D^n' - I'||_1
                "detail",
                system.detail,
                draw=partial(draw, 1, paint=False),
                loss=partial(stage_2_loss, forward(system.refine)),
            )
        )
    trained = system.trained_with_detection
    if trained is not None:
        of_map = DETECTION_LOSSES[training.detection_loss]
        if settings.model.restoration:
            loss = partial(restoring_stage_3_loss, forward(system.detect_and_restore), of_map)
        else:
            loss = partial(stage_3_loss, forward(system.detect), of_map)
        stages.append(
            Stage(  # 3, CRD: ||M_A - M_P||_2 + ||M_A' - M_P'||_2
                "detection",
                trained,
                draw=partial(draw, 2, paint=True),
                loss=partial(loss, average=average),
            )
        )
    return stages


def stage_1_loss(reconstruct: Forward, batch: Batch) -> Tensor:
    """||I - I_R^n||_1 + ||I' - I_R^n'||_1, n drawn at random for each batch; a scalar."""
    return reconstruction_loss(reconstruct(batch.image, batch.depth), batch.image)


def stage_2_loss(refine: Forward, batch: Batch) -> Tensor:
    """||I_D^n - I||_1 + ||I_D^n' - I'||_1, RcAE frozen; one random n per batch (our choice); a scalar."""
    return reconstruction_loss(refine(batch.image, batch.depth), batch.image)


def stage_3_loss(
    detect: Forward, of_map: DetectionLoss, batch: Batch, *, average: Average
) -> Tensor:
    """||M_A - M_P||_2 + ||M_A' - M_P'||_2 on painted images, RcAE and DPN frozen; a scalar."""
    return of_map(detect(batch.image), batch.mask, averaged=average)


def restoring_stage_3_loss(
    detect_and_restore: Forward, of_map: DetectionLoss, batch: Batch, *, average: Average
) -> Tensor:
    """`stage_3_loss`, and how far the restored image is from the good one (our addition); a scalar."""
    assert batch.good is not None
    drawn = detect_and_restore(batch.image)  # M_A, then the restored image
    map_loss = of_map(drawn[:, 0], batch.mask, averaged=average)
    of_image = restoration_loss(drawn[:, 1:], batch.good, batch.mask, averaged=average)
    return map_loss + RESTORATION_WEIGHT * of_image
