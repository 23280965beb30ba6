"""Judge each kind of evidence of a finished run: alone, and left out of the sum.

Every map that the run adds up is evaluated on the test images of DATA. Prints one JSON object per variant:
image AUROC, pixel AP and AUPRO, and the size of the tensors that the kind needs, in MiB. What it costs in
time, `speed.py` measures. Choices that follow from these figures look at test images, and must say so.

    python benchmarks/evidence.py RUN DATA
    python benchmarks/evidence.py RUN DATA --only "memory,own features"
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import rcae
from rcae.evaluation.evaluate import evaluate_detector
from rcae.model.system import RcaeSystem

FIGURES = ("image_auroc", "pixel_ap", "aupro")


def main() -> None:
    """Load, evaluate every variant, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", help="these maps alone, like 'memory,own features'")
    options = parser.parse_args()
    detector = rcae.Detector.load(options.run)
    system: RcaeSystem = detector.runner.model.system
    if system.fusion is None:
        raise SystemExit(
            f"{options.run} adds no maps up; give a run of quick, standard or scratch."
        )
    remember_evidence(system)
    weight = system.fusion.weight.clone()
    for label, variant in variants(system.evidence_names, weight, options.only):
        system.fusion.weight.copy_(variant)
        metrics = evaluate_detector(detector, options.data).metrics
        figures = {name: getattr(metrics, name) for name in FIGURES}
        rounded = {name: None if x is None else round(x, 3) for name, x in figures.items()}
        print(json.dumps({"maps": label, **rounded, "mib": size_mib(system, label)}), flush=True)


def variants(names: list[str], weight: Tensor, only: str | None) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights of all maps, of each alone, and of all but one."""
    if only is not None:
        chosen = only.split(",")
        yield only, weight * torch.tensor([float(name in chosen) for name in names])
        return
    yield "all", weight
    yield "all, plain sum", torch.ones_like(weight)
    for place, name in enumerate(names):
        alone = torch.zeros_like(weight)
        alone[place] = 1.0
        yield name, alone
    for place, name in enumerate(names):
        rest = weight.clone()
        rest[place] = 0.0
        yield f"all but {name}", rest


def remember_evidence(system: RcaeSystem) -> None:
    """Keep the maps of every image, so that each is drawn once for all variants."""
    drawn: dict[str, tuple[Tensor, ...]] = {}
    draw = system.evidence

    def remembered(image: Tensor) -> tuple[Tensor, ...]:
        key = hashlib.sha256(image.numpy().tobytes()).hexdigest()
        if key not in drawn:
            drawn[key] = draw(image)
        return drawn[key]

    system.evidence = remembered  # type: ignore[method-assign]


def size_mib(system: RcaeSystem, label: str) -> float | None:
    """Return the size of the tensors of the kind of this name; None for M_A and sums."""
    for kind in system.kinds:
        if kind.name == label:
            bytes_used = sum(tensor.nbytes for tensor in kind.state_dict().values())
            return round(bytes_used / 2**20, 2)
    return None


if __name__ == "__main__":
    main()
