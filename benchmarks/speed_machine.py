"""The best this machine does, for `speed.py`: a large matrix product, a large copy."""

from typing import Any

import torch
from speed_worker import Contender

SIDE = 2048
COPIED = 2**26
"""Numbers: 256 MiB, far above any cache."""


def build(case: dict[str, Any]) -> Contender:
    """A matrix product or a copy, by the name of the case."""
    torch.set_num_threads(case["threads"])
    if case["model"] == "copy":
        source, target = torch.rand(COPIED), torch.empty(COPIED)
        return Contender(lambda: target.copy_(source), lambda: {"gb": 2 * 4 * COPIED / 1e9})
    left, right, product = (torch.rand(SIDE, SIDE) for _ in range(3))
    return Contender(
        lambda: torch.mm(left, right, out=product), lambda: {"gflop": 2 * SIDE**3 / 1e9}
    )
