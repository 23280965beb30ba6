"""Prediction and training on a GPU: images and steps per second of every precision, compiled or not.

    python benchmarks/gpu.py DATA
    python benchmarks/gpu.py DATA --compiled

DATA is one category: its good images are trained on for some seconds. Everything runs at 256 px: prediction
on batches of 32 images in memory of the GPU, as floats, from image to anomaly map; training as `rcae train`
does it, drawing of batches included. The GPU's ceiling (a large matrix product, a large copy) is measured in
the same run. Prints a line as JSON for each case, then Markdown tables. Nothing else should run beside it.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch

from rcae.base.errors import SettingsError
from rcae.base.settings import Settings, load_settings
from rcae.model.system import RcaeSystem
from rcae.training import plan, trainer
from rcae.training.batches import drawing_processes, drawn_ahead
from rcae.training.precision import as_in_training
from rcae.training.training_data import open_good_parts

SIZE_PX, BATCH = 256, 32
PRESETS = ("quick", "standard")
PRECISIONS = ("fp32", "bf16")
SIDE, COPIED = 8192, 2**30
NAN = float("nan")
Row = dict[str, Any]
T = TypeVar("T")


def main() -> None:
    """Measure case by case, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--compiled", action="store_true", help="also bf16 compiled, which takes minutes"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, for each case")
    options = parser.parse_args()
    forms = [(precision, False) for precision in PRECISIONS]
    if options.compiled:
        forms.append(("bf16", True))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    _table([_said(row) for row in _ceilings(options.seconds)])
    _table([_said(_prediction(p, *form, options.seconds)) for p in PRESETS for form in forms])
    _table([_said(_training(*form, options)) for form in forms])


def _said(row: Row) -> Row:
    print(json.dumps(row), flush=True)
    return row


def _table(rows: list[Row]) -> None:
    print(f"\n| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        cells = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row.values())
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def _seconds(run: Callable[[], object], measuring_s: float) -> float:
    """Of one call, the median after three that warm up."""
    for _ in range(3):
        run()
    taken_s: list[float] = []
    while sum(taken_s) < measuring_s:
        torch.cuda.synchronize()
        started_at = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken_s.append(time.perf_counter() - started_at)
    return median(taken_s)


def _ceilings(measuring_s: float) -> list[Row]:
    left, right = (torch.randn(SIDE, SIDE, device="cuda") for _ in range(2))
    rows = []
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = left.to(kind), right.to(kind)
        taken_s = _seconds(lambda a=a, b=b: a @ b, measuring_s / 3)
        rows.append(
            {
                "ceiling": f"matrix product {name}",
                "TFLOP/s": 2 * SIDE**3 / taken_s / 1e12,
                "TB/s": "",
            }
        )
    source = torch.rand(COPIED, device="cuda")
    target = torch.empty_like(source)
    taken_s = _seconds(lambda: target.copy_(source), measuring_s / 3)
    return [*rows, {"ceiling": "copy", "TFLOP/s": "", "TB/s": 2 * 4 * COPIED / taken_s / 1e12}]


def _prediction(preset: str, precision: str, compiled: bool, measuring_s: float) -> Row:
    """Weights do not matter for speed, and are untrained."""
    settings = _settings(preset, precision, compiled)
    torch.manual_seed(0)
    system = RcaeSystem(settings.model).cuda().requires_grad_(False).eval()
    images = torch.rand(BATCH, 3, SIZE_PX, SIZE_PX, device="cuda")
    torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        system.kinds[0].fit([system.kinds[0].features(system.sight(images))])
        run = as_in_training(system.forward, settings.training)
        taken_s = _if_compilable(lambda: _seconds(lambda: run(images), measuring_s), NAN)
    return {
        "predicting": preset,
        **_form(precision, compiled),
        "ms for 32": 1000 * taken_s,
        "images/s": BATCH / taken_s,
        "peak MiB": torch.cuda.max_memory_allocated() // 2**20,
    }


def _training(precision: str, compiled: bool, options: argparse.Namespace) -> Row:
    """Steps per second of the three stages of `standard`; compiled, of the third alone."""
    settings = _settings("standard", precision, compiled)
    parts = open_good_parts(options.data, settings)
    _, stages = trainer._new_system(settings, parts)
    torch.cuda.reset_peak_memory_stats()
    measured = stages[2:] if compiled else stages
    step_s = _if_compilable(
        lambda: plan.seconds_per_step(measured, settings, measuring_s=options.seconds), {}
    )
    return {
        "training": "standard",
        **_form(precision, compiled),
        **{f"{stage.name} steps/s": 1 / step_s.get(stage.name, NAN) for stage in stages},
        "batches painted/s": _painted_per_second(stages[-1].draw, options.seconds),
        "peak MiB": torch.cuda.max_memory_allocated() // 2**20,
    }


def _settings(preset: str, precision: str, compiled: bool) -> Settings:
    values = [f"training.precision={precision}", f"training.compiled={str(compiled).lower()}"]
    return load_settings(preset, values=values)


def _if_compilable(measure: Callable[[], T], otherwise: T) -> T:
    try:
        return measure()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return otherwise


def _painted_per_second(draw: Any, measuring_s: float) -> float:
    """What drawing gives where nothing waits for it."""
    batches = drawn_ahead(draw, 0, 10**6, drawing_processes(torch.device("cuda")))
    next(batches)
    started_at, count = time.perf_counter(), 0
    while time.perf_counter() - started_at < measuring_s:
        next(batches)
        count += 1
    return count / (time.perf_counter() - started_at)


def _form(precision: str, compiled: bool) -> Row:
    return {"form": f"{precision} compiled" if compiled else precision}


if __name__ == "__main__":
    main()
