"""What a network costs whatever executes it, for `speed.py`."""

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def cost(
    model: torch.nn.Module, *example: torch.Tensor, trained: torch.nn.Module | None = None
) -> dict[str, Any]:
    """Parameters, and floating-point operations for an example of one image.

    `trained` holds the parameters where `model` holds constants made of them.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*example)
    return {
        "parameters": sum(parameter.numel() for parameter in (trained or model).parameters()),
        "gflop_per_image": counter.get_total_flops() / 1e9,
    }
