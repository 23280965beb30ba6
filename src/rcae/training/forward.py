"""How the networks run forward in training: in float32 or bfloat16.

Whatever the setting, weights, losses, gradients and Adam's moments are float32, and everything that follows
training runs as if this setting did not exist.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rcae.errors import SettingsError
from rcae.settings import TrainingSettings

Forward = Callable[..., Tensor]
"""A method of `RcaeSystem`: takes images [batch, 3, height, width], and for some a depth."""


def as_in_training(forward: Forward, training: TrainingSettings) -> Forward:
    """`forward` as the settings want it to run.

    Args:
        forward: takes images, and whatever else, which decides what is computed.
        training: `precision` counts.

    Returns:
        The same function, whose results are float32.
    """
    is_bf16 = training.precision == "bf16"

    def run_forward(image: Tensor, *others: int) -> Tensor:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=is_bf16):
            result = forward(image, *others)
        return result.float()

    return run_forward


def require_runnable(training: TrainingSettings, device: torch.device) -> None:
    """Refuse settings that this machine cannot train with; before anything is trained.

    Raises:
        SettingsError: the GPU has no bfloat16.
    """
    on_gpu = device.type == "cuda"
    if training.precision == "bf16" and on_gpu and not torch.cuda.is_bf16_supported():
        raise SettingsError(
            f"training.precision = 'bf16' needs a GPU that computes in bfloat16, and "
            f"{torch.cuda.get_device_name(device)} does not; set training.precision=fp32."
        )
