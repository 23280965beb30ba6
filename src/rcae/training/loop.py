"""The one training loop: the same for the three stages, and exactly repeatable from any step."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import nn

from rcae.base.errors import TrainingError
from rcae.base.settings import Settings
from rcae.training.batches import drawing_processes, drawn_ahead
from rcae.training.drawn import Batch
from rcae.training.processes import ALONE, Processes
from rcae.training.stages import Stage


def make_optimizer(module: nn.Module, settings: Settings) -> torch.optim.Adam:
    """Adam with betas 0.9 / 0.999 and eps 1e-8, as the paper has it."""
    return torch.optim.Adam(
        module.parameters(),
        lr=settings.training.learning_rate,
        betas=(0.9, 0.999),
        eps=1e-8,
        fused=True,  # all weights in one go
    )


def learning_rate(settings: Settings, step: int, steps: int) -> float:
    """The learning rate at step 0 ... steps - 1 of a stage; a pure function, so resuming is exact."""
    training = settings.training
    if training.schedule == "constant":
        return training.learning_rate
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def train_step(
    stage: Stage,
    batch: Batch,
    optimizer: torch.optim.Adam,
    settings: Settings,
    processes: Processes = ALONE,
) -> float:
    """One update of the stage's network, by the gradient of the whole batch.

    Args:
        stage: its network must require gradients.
        batch: this process's share, on the device of the network.
        optimizer: the one of the network.
        settings: the clipping of the gradient counts.
        processes: those that share the batch.

    Returns:
        The loss of the whole batch.

    Raises:
        TrainingError: the loss is no longer a number.
        RcaeError: another process has ended.
    """
    loss = stage.loss(batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    processes.average_gradients(stage.module)
    if settings.training.gradient_clip != "none":
        nn.utils.clip_grad_norm_(stage.module.parameters(), settings.training.gradient_clip)
    optimizer.step()
    value = processes.average(loss).item()
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss of stage '{stage.name}' became {value}; lower training.learning_rate or set "
            "training.gradient_clip, and train again."
        )
    return value


def batches(stage: Stage, first: int, end: int, processes: Processes = ALONE) -> Iterator[Batch]:
    """The stage's batches of steps first ... end - 1, drawn ahead, on the device of its network.

    Raises:
        ImageError: an image cannot be decoded.
    """
    device = next(stage.module.parameters()).device
    drawing = drawing_processes(device, processes.on_this_machine)
    for batch in drawn_ahead(stage.draw, first, end, drawing):
        yield batch.to(device)


def run_stage(
    stage: Stage,
    optimizer: torch.optim.Adam,
    settings: Settings,
    *,
    first_step: int,
    steps: int,
    after_step: Callable[[int, float], None],
    processes: Processes = ALONE,
) -> None:
    """Train one stage; its network is frozen again afterwards.

    Args:
        stage: the one to train.
        optimizer: the one of its network.
        settings: learning rate, schedule and clipping count.
        first_step: steps already done.
        steps: all steps of the stage.
        after_step: gets the number of steps done and the loss; what it raises ends the loop between two
            updates, never within one.
        processes: those that train together.

    Raises:
        ImageError: an image cannot be decoded.
        TrainingError: the loss is no longer a number.
        RcaeError: another process has ended.
    """
    stage.module.requires_grad_(True).train()
    drawn = batches(stage, first_step, steps, processes)
    for step, batch in enumerate(drawn, start=first_step):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step, steps)
        loss = train_step(stage, batch, optimizer, settings, processes)
        after_step(step + 1, loss)
    stage.module.requires_grad_(False).eval()
