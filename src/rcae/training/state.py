"""What an interrupted training needs to go on: weights, optimiser, position and losses."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from rcae.base.errors import CheckpointError
from rcae.base.settings import STAGES
from rcae.detector.run.checkpoint import load_tensors, save_tensors
from rcae.model.system import RcaeSystem

FORMAT = "rcae-training-9"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class TrainingState:
    """Position and history; the weights and moments live in the networks and the optimiser."""

    stage_index: int = 0
    """Place of the current stage among those of the run, from 0."""
    steps_done: int = 0
    """Steps done in the current stage."""
    elapsed_s: float = 0.0
    """Time spent so far, over all sessions."""
    losses: dict[str, list[float]] = field(default_factory=dict)
    """The loss of every step done, by the name of the stage, in their order."""


def save_state(
    path: Path,
    state: TrainingState,
    system: RcaeSystem,
    trained: nn.Module,
    optimizer: torch.optim.Adam,
) -> None:
    """Write the state file in one step.

    Args:
        path: the file; an older one is replaced.
        state: position and losses.
        system: all networks.
        trained: the network that `optimizer` updates.
        optimizer: its moments are saved.

    Raises:
        StorageError: the disk refused; an older state is unchanged.
    """
    tensors = {f"system.{name}": tensor for name, tensor in system.state_dict().items()}
    for name, parameter in trained.named_parameters():
        for moment in _MOMENTS:
            if parameter in optimizer.state:
                tensors[f"optimizer.{name}.{moment}"] = optimizer.state[parameter][moment]
    for name, losses in state.losses.items():
        tensors[f"losses.{name}"] = torch.tensor(losses, dtype=torch.float64)
    header = {
        "stage_index": state.stage_index,
        "steps_done": state.steps_done,
        "elapsed_s": state.elapsed_s,
    }
    save_tensors(path, tensors, header, file_format=FORMAT)


def load_state(path: Path, system: RcaeSystem) -> tuple[TrainingState, dict[str, torch.Tensor]]:
    """Put the saved weights into `system`.

    Args:
        path: a file of `save_state`.
        system: networks of the same settings; changed in place.

    Returns:
        The position with its losses, and all saved tensors by their names in the file.

    Raises:
        UsageError: there is no file at `path`.
        CheckpointError: the file is damaged or belongs to other settings.
    """
    tensors, header = load_tensors(path, file_format=FORMAT)
    try:
        system.load_state_dict(_part(tensors, "system."))
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} belongs to a run with other settings; remove the run folder and train again."
        ) from error
    saved = _part(tensors, "losses.")
    losses = {name: saved[name].tolist() for name in STAGES if name in saved}
    return TrainingState(**header, losses=losses), tensors


def restore_optimizer(
    optimizer: torch.optim.Adam, trained: nn.Module, tensors: dict[str, torch.Tensor]
) -> None:
    """Put the saved moments back; exact, so the next step is the one that would have followed.

    Args:
        optimizer: a fresh one for `trained`; changed in place.
        trained: the network of the stage that was interrupted.
        tensors: what `load_state` returned; without moments nothing changes.
    """
    for name, parameter in trained.named_parameters():
        moments = _part(tensors, f"optimizer.{name}.")
        if moments:
            optimizer.state[parameter] = {
                key: value.to(parameter.device) if key == "step" else _like(value, parameter)
                for key, value in moments.items()
            }


def _like(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """The value on the parameter's device and in its memory layout."""
    return torch.empty_like(parameter).copy_(value)


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
