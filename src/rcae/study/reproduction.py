"""Reproduction of the paper's ablations on any categories: a table and a chart beside the paper's."""

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rcae.base.settings import load_settings
from rcae.base.storage import write_bytes, write_text
from rcae.data.good_images import FEWEST_TRAINING_IMAGES, read_list
from rcae.detector.run.run_folder import RunFolder
from rcae.drawing.charts import ablation_chart
from rcae.many.cluster import Needs
from rcae.study import summary
from rcae.study.ablations import Ablation, Variant, ablation
from rcae.study.cell import CellFolder
from rcae.study.cell_result import CellResult
from rcae.study.cells import cell_requests, run_cells
from rcae.study.fidelity import fidelity_table
from rcae.study.request import CellRequest

METRICS = ("image_auroc", "pixel_auroc")


def reproduce(
    name: str,
    data: Sequence[Path],
    preset: str,
    settings_file: Path | None,
    seeds: Sequence[int],
    budget_s: float | None,
    output: Path,
    needs: Needs | None = None,
    address: str | None = None,
) -> str:
    """Run every variant on every category with every seed; return the table as Markdown.

    All ablations keep their models in `output`, so that a model shared by several tables is trained once.

    Raises:
        UsageError: an ablation or preset is unknown, or a path is wrong.
        SettingsError: the settings file breaks a rule.
        RcaeError: the errors of `rcae.study.cells.run_cells`.
    """
    wanted = ablation(name)
    load_settings(preset, file=settings_file)
    given = () if settings_file is None else tuple(_values_in(settings_file))
    requests = cell_requests(
        data,
        [
            CellRequest(variant.label, "", preset, 0, budget_s, variant.changes(preset, given))
            for variant in wanted.variants
        ],
        seeds,
        output,
    )
    results: list[CellResult] = []
    for results in run_cells(requests, needs, address):
        write_text(output / f"{name}.csv", summary.to_csv(results))
    if name == "detail":
        text = fidelity_table([path for path, _ in requests])
    else:
        text = _table(wanted, results)
        if name == "data-share":
            text += f"\n{_image_counts(requests)}"
        write_bytes(output / f"{name}.png", _chart(wanted, results))
    write_text(output / f"{name}.md", text)
    return text


def _values_in(file: Path) -> Iterator[str]:
    """Return the changes of a TOML file as single values.

    A cell that stores these values does not change with the file.
    """

    def flat(tree: dict[str, Any], section: str) -> Iterator[str]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{section}{key}.")
            else:
                yield f"{section}{key}={json.dumps(value)}"

    return flat(tomllib.loads(file.read_text(encoding="utf-8")), "")


def _table(wanted: Ablation, results: Sequence[CellResult]) -> str:
    names = summary.categories(results)
    head = ["", "paper image", "paper pixel", "ours image", "ours pixel"]
    head += [f"{category} image / pixel" for category in names]
    rows = []
    for variant in wanted.variants:
        means = [summary.over_categories(results, variant.label, metric) for metric in METRICS]
        each = [
            " / ".join(
                _percent(summary.on_category(results, variant.label, category, metric))
                for metric in METRICS
            )
            for category in names
        ]
        paper = (variant.paper_image_auroc, variant.paper_pixel_auroc)
        rows.append(
            [
                variant.label,
                *("-" if value is None else f"{value:.1f}" for value in paper),
                *map(_percent, means),
                *each,
            ]
        )
    lines = [
        f"{wanted.question} AUROC in %, mean over {', '.join(names)}; the paper's on MVTec AD.",
        summary.markdown_table(head, rows),
    ]
    if wanted.is_ranked:
        lines.append(_verdict(wanted.variants, results))
    return "\n\n".join(lines) + "\n"


def _image_counts(requests: Sequence[tuple[Path, CellRequest]]) -> str:
    """Return a table of the number of training images per row; small categories may repeat a number."""
    counts: dict[str, dict[str, str]] = {}
    for path, request in requests:
        listed = read_list(RunFolder(CellFolder(path).training).data)
        count = sum(image.role == "train" for image in listed)
        counts.setdefault(request.label, {})[Path(request.data).name] = str(count)
    head = ["", *next(iter(counts.values()))]
    rows = [[label, *of_category.values()] for label, of_category in counts.items()]
    table = summary.markdown_table(head, rows)
    return f"Images trained on, never fewer than {FEWEST_TRAINING_IMAGES}:\n\n{table}\n"


def _verdict(variants: Sequence[Variant], results: Sequence[CellResult]) -> str:
    """Say per metric if our numbers rise from row to row as those of the paper do."""
    verdicts = []
    for metric in METRICS:
        means = [summary.over_categories(results, variant.label, metric) for variant in variants]
        if None in means:
            continue
        values = [value.mean for value in means if value is not None]
        holds = values == sorted(values) and len(set(values)) == len(values)
        verdicts.append(
            f"{summary.TITLES[metric]}: the paper's order {'holds' if holds else 'does not hold'}"
        )
    return "; ".join(verdicts) + "."


def _chart(wanted: Ablation, results: Sequence[CellResult]) -> bytes:
    """Draw the paper's values and ours per variant, one panel per metric."""
    paper = {
        "image_auroc": [variant.paper_image_auroc for variant in wanted.variants],
        "pixel_auroc": [variant.paper_pixel_auroc for variant in wanted.variants],
    }
    panels = {}
    for metric in METRICS:
        ours = [summary.over_categories(results, v.label, metric) for v in wanted.variants]
        panels[summary.TITLES[metric]] = (
            paper[metric],
            [None if value is None else 100 * value.mean for value in ours],
            [
                None if value is None or value.deviation is None else 100 * value.deviation
                for value in ours
            ],
        )
    return ablation_chart([variant.label for variant in wanted.variants], panels)


def _percent(value: summary.Spread | None) -> str:
    if value is None:
        return "-"
    spread = "" if value.deviation is None else f" ± {100 * value.deviation:.1f}"
    return f"{100 * value.mean:.1f}{spread}"
