"""Training steps per second of each stage, of this version beside another one's.

    git worktree add ../first 29c4eec
    python benchmarks/training_speed.py DATA --other ../first/src

Both train the preset `quick` on windows of the same size of the same images, as many at a time, with the
same widths; what else a version does is its own. They take turns, each time in a process of its own.
Prints a Markdown table. Nothing else should run beside it.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

TURNS = 3
SETTINGS = (
    "image.size_px=256",
    "training.crop_px=128",
    "training.batch_size=8",
    "model.detail_widths=[16, 32, 64, 64]",
    "model.detection_widths=[16, 32, 64, 64]",
)
MEASURE = """
import json, sys
from pathlib import Path
from rcae.base.settings import load_settings
from rcae.training import plan, trainer
from rcae.training.training_data import open_good_parts
settings = load_settings("quick", values=sys.argv[3:])
parts = open_good_parts(Path(sys.argv[1]), settings)
_, stages = trainer._new_system(settings, parts)
print(json.dumps(plan.seconds_per_step(stages, settings, measuring_s=float(sys.argv[2]))))
"""
"""Runs in any version since the first that trains."""


def main() -> None:
    """Measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--other", type=Path, required=True, help="the other version's src folder")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each stage in each turn")
    options = parser.parse_args()
    sources = {
        "other version": options.other,
        "this version": Path(__file__).resolve().parents[1] / "src",
    }
    taken_s: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for _ in range(TURNS):
        for name, source in sources.items():
            taken_s[name].append(_seconds_per_step(source, options))
            print(f"measured: {name}", file=sys.stderr)
    medians = {
        name: {stage: float(np.median([turn[stage] for turn in turns])) for stage in turns[0]}
        for name, turns in taken_s.items()
    }
    first = medians["other version"]
    print(f"| steps per second | {' | '.join(first)} |\n|{'---|' * (len(first) + 1)}")
    for name, stages in medians.items():
        cells = (f"{1 / s:.2f} ({first[stage] / s:.2f} x)" for stage, s in stages.items())
        print(f"| {name} | {' | '.join(cells)} |")


def _seconds_per_step(source: Path, options: argparse.Namespace) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-P", "-c", MEASURE, options.data, str(options.seconds), *SETTINGS],
        env={**os.environ, "PYTHONPATH": str(source.resolve())},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    main()
