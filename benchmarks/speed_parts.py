"""What each part of a prediction costs in torch, for `speed.py`."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from speed_ours import untrained
from speed_worker import Contender, random_images
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from rcae.detector.export.graph import PredictionGraph

PARTS = (
    "pre-processing",
    "RcAE",
    "DPN",
    "CRD",
    "own features",
    "pretrained features",
    "memory",
    "post-processing",
)
WARMING = 2
"""Calls that are not counted."""

Meter = Callable[[], float]


def build(case: dict[str, Any]) -> Contender:
    """The exported graph in torch, stopped at every border between two parts."""
    torch.set_num_threads(case["threads"])
    graph = PredictionGraph(untrained()).eval()
    stops = _Stops(graph)
    images = torch.from_numpy(random_images(case))
    taken_s: list[dict[str, float]] = []

    def measured(meter: Meter) -> dict[str, float]:
        with torch.inference_mode():
            return stops.measure(meter, lambda: graph(images, torch.tensor(0.5)))

    def describe() -> dict[str, Any]:
        with FlopCounterMode(display=False) as flops:
            flop = measured(lambda: float(flops.get_total_flops()))
        with _Traffic() as traffic:
            moved = measured(lambda: traffic.moved_bytes)
        return {
            "parts": {
                part: {
                    "median_ms": 1000 * float(np.median([t[part] for t in taken_s[WARMING:]])),
                    "gflop": flop[part] / 1e9,
                    "gb": moved[part] / 1e9,
                }
                for part in PARTS
            }
        }

    return Contender(lambda: taken_s.append(measured(time.perf_counter)), describe)


class _Stops:
    """Borders between the parts: before and after the networks' own methods."""

    def __init__(self, graph: PredictionGraph) -> None:
        self._meter: Meter = time.perf_counter
        self._before = 0.0
        self._spent: dict[str, float] = defaultdict(float)
        system = graph.system
        # What runs between two methods belongs to the part that is named first.
        for part_before, part, owner, method in (
            ("pre-processing", "RcAE", system.reconstruction, "sequence"),
            ("DPN", "DPN", system.detail, "forward"),
            ("CRD", "CRD", system.detection, "features"),
            ("CRD", "CRD", system.detection, "map_of"),
            ("own features", "own features", system.kinds[0], "forward"),
            ("pretrained features", "pretrained features", system.pretrained, "forward"),
            *(("pretrained features", "memory", kind, "forward") for kind in system.kinds[1:]),
        ):
            setattr(owner, method, self._stopped(part_before, part, getattr(owner, method)))

    def measure(self, meter: Meter, call: Callable[[], object]) -> dict[str, float]:
        """How far the meter went in each part."""
        self._meter, self._spent = meter, defaultdict(float)
        self._before = meter()
        call()
        self._stop("post-processing")
        return self._spent

    def _stopped(
        self, part_before: str, part: str, method: Callable[..., Any]
    ) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self._stop(part_before)
            result = method(*arguments)
            self._stop(part)
            return result

        return called

    def _stop(self, part: str) -> None:
        now = self._meter()
        self._spent[part] += now - self._before
        self._before = now


class _Traffic(TorchDispatchMode):
    """Counts the bytes that operators read and write, each once; views move none."""

    def __init__(self) -> None:
        super().__init__()
        self.moved_bytes = 0.0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), keywords: Any = None
    ) -> Any:
        result = function(*arguments, **(keywords or {}))
        if not function.is_view:
            leaves = tree_leaves((arguments, keywords, result))
            tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
            self.moved_bytes += sum(t.numel() * t.element_size() for t in tensors)
        return result
