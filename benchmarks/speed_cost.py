"""What a network costs whatever executes it, for `speed.py`."""

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def cost(model: torch.nn.Module, *example: torch.Tensor) -> dict[str, Any]:
    """Parameters, and floating-point operations for an example of one image."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*example)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "gflop_per_image": counter.get_total_flops() / 1e9,
    }
