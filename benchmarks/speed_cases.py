"""What `speed.py` measures, what came of it so far, and how long the rest will take."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

Row = dict[str, Any]

MODULES = {
    "matrix product": "speed_machine",
    "copy": "speed_machine",
    "torch": "speed_ours",
    "torch compiled": "speed_ours",
    "onnxruntime": "speed_exported",
    "openvino": "speed_exported",
    "openvino int8": "speed_exported",
    "efficientad-s": "speed_peers",
    "patchcore": "speed_peers",
    "patchcore 12000": "speed_peers",
    "padim": "speed_peers",
    "draem": "speed_peers",
    "parts": "speed_parts",
    "folder": "speed_folder",
}
"""Everything that can be measured, and the module that builds it."""
CEILING = ("matrix product", "copy")
OURS = ("torch", "torch compiled", "onnxruntime", "openvino", "openvino int8")
PEERS = ("efficientad-s", "patchcore", "patchcore 12000", "padim", "draem")
FOLDER_COUNTS = (8, 32, 128)
"""Images in a folder, to see whether time and memory grow with their number."""
LONGEST_S = 8.0
"""Of one batch of another method: above, a case says how long one would take, and is left out."""
STARTING_S = 4.0
"""About what a case costs beside its measuring, for the time left."""


@dataclass(frozen=True)
class Case:
    """One cell of the table."""

    model: str
    size_px: int
    batch: int
    threads: int

    @property
    def pixels(self) -> int:
        """Of a batch."""
        return self.batch * self.size_px**2


@dataclass
class Results:
    """Finished rows, kept in a file so that a run which was interrupted goes on where it was."""

    path: Path
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what was measured before."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return cls(path, [json.loads(line) for line in lines])

    def add(self, case: Case, answer: Row) -> None:
        """Keep what a case gave."""
        row = {**asdict(case), **answer}
        self.rows.append(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def of(self, case: Case) -> Row | None:
        """The row of a case; None if it has not been measured."""
        wanted = asdict(case).items()
        return next((row for row in self.rows if wanted <= row.items()), None)

    def expected_s(self, case: Case) -> float:
        """For one batch, by the pixels of the largest case like it so far; 0 if there is none."""
        alike = [
            row
            for row in self.rows
            if row["model"] == case.model
            and row["threads"] == case.threads
            and row.get("median_ms")
        ]
        if not alike or not case.pixels:
            return 0.0
        row = max(alike, key=lambda row: row["batch"] * row["size_px"] ** 2)
        return row["median_ms"] / 1000 * case.pixels / (row["batch"] * row["size_px"] ** 2)


def groups(
    models: Sequence[str], sizes_px: Sequence[int], batches: Sequence[int], threads: Sequence[int]
) -> list[list[Case]]:
    """Cases that are compared with one another and take turns; small ones first."""
    found = []
    for count in sorted(threads):
        found.append([Case(model, 0, 1, count) for model in CEILING])
        areas = sorted(
            itertools.product(batches, sizes_px), key=lambda area: area[0] * area[1] ** 2
        )
        for batch, size_px in areas:
            found.append(
                [Case(model, size_px, batch, count) for model in (*OURS, *PEERS) if model in models]
            )
        found += [[Case("parts", size_px, 1, count)] for size_px in sizes_px if "parts" in models]
    if "folder" in models:
        found += [[Case("folder", min(sizes_px), count, max(threads))] for count in FOLDER_COUNTS]
    return [group for group in found if group]


def left_s(cases: Iterable[Case], results: Results, seconds: float) -> float:
    """About how long these cases will take."""
    return sum(STARTING_S + max(seconds, 4 * results.expected_s(case)) for case in cases)
