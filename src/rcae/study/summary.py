"""Summary of the cells' results: mean and spread over seeds, and the worst category."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from rcae.base.text import csv_text
from rcae.data.doctor.give_aways import GIVE_AWAYS, telling
from rcae.study.cell_result import CellResult

ACCURACY = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro")
TITLES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
ALONE = "Image AUROC of properties alone, without a model"
COST = ("training_s", "milliseconds_median", "peak_memory_mib")
CSV_COLUMNS = (
    *("category", "label", "model", "seed", "budget_s", *ACCURACY, "image_f1_max", "pixel_f1_max"),
    *("detection_rate", "false_alarm_rate_seen", "false_alarm_rate_promised"),
    *("detection_rate_at_1_percent", "detection_rate_at_5_percent"),
    *(*COST, "milliseconds_p95", "image_count"),
)


@dataclass(frozen=True)
class Spread:
    """Mean over seeds and sample standard deviation; the deviation is None for a single seed."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.3f}"
        return f"{self.mean:.3f}{spread}"


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation of at least one value."""
    return Spread(mean(values), stdev(values) if len(values) > 1 else None)


def categories(results: Sequence[CellResult]) -> list[str]:
    """Return the names of the categories, in the order of the results."""
    return list(dict.fromkeys(result.category for result in results))


def models(results: Sequence[CellResult]) -> list[str]:
    """Return the labels of the models, in the order of the results."""
    return list(dict.fromkeys(result.label for result in results))


def notes(results: Sequence[CellResult]) -> list[tuple[str, str]]:
    """Return the note of each model, and of each telling property of a category, once."""
    of_models = [(result.label, result.note) for result in results]
    of_categories = [
        (result.category, GIVE_AWAYS[name].describe(alone[name]))
        for result in results
        if (alone := result.give_aways) is not None
        for name in telling(alone, result.good_count, result.defective_count)
    ]
    return list(dict.fromkeys([*of_models, *of_categories]))


def give_aways(results: Sequence[CellResult]) -> list[tuple[str, str]]:
    """Return each category with the image AUROC of each property alone, as text."""
    lines = dict.fromkeys(categories(results), "not measured")
    for result in results:
        if result.give_aways:
            lines[result.category] = ", ".join(
                f"{name} {auroc:.3f}" for name, auroc in result.give_aways.items()
            )
    return list(lines.items())


def on_category(
    results: Sequence[CellResult], model: str, category: str, metric: str
) -> Spread | None:
    """Return the metric of a model on one category over its seeds; None where it is not defined."""
    values = [getattr(r, metric) for r in results if (r.label, r.category) == (model, category)]
    return spread(values) if values and None not in values else None


def over_categories(results: Sequence[CellResult], model: str, metric: str) -> Spread | None:
    """Return the metric of a model, averaged per seed over all categories, with the spread over seeds.

    Only seeds with all categories count. The result is None without such a seed, or if the metric is
    undefined in one of them.
    """
    names = categories(results)
    by_seed: dict[int, dict[str, float | None]] = {}
    for result in results:
        if result.label == model:
            by_seed.setdefault(result.seed, {})[result.category] = getattr(result, metric)
    complete = [list(of.values()) for of in by_seed.values() if len(of) == len(names)]
    means = [mean(v for v in of if v is not None) for of in complete if None not in of]
    return spread(means) if means and len(means) == len(complete) else None


def worst_category(results: Sequence[CellResult], model: str) -> tuple[str, Spread] | None:
    """Return the category with the lowest mean image AUROC of a model; None if no AUROC is known."""
    known = [
        (name, value)
        for name in categories(results)
        if (value := on_category(results, model, name, "image_auroc")) is not None
    ]
    return min(known, key=lambda pair: pair[1].mean) if known else None


def cost(results: Sequence[CellResult], model: str) -> dict[str, float]:
    """Return mean training time, mean latency and highest memory of a model over all its cells."""
    mine = [result for result in results if result.label == model]
    return {
        "training_s": mean(result.training_s for result in mine),
        "milliseconds_median": mean(result.milliseconds_median for result in mine),
        "peak_memory_mib": max(result.peak_memory_mib or 0 for result in mine),
    }


def to_csv(results: Sequence[CellResult]) -> str:
    """Write the results as CSV, one row per cell, with full precision."""
    return csv_text(
        CSV_COLUMNS, ([getattr(result, column) for column in CSV_COLUMNS] for result in results)
    )


def to_markdown(results: Sequence[CellResult]) -> str:
    """Write the results as Markdown: means over categories, a table per metric, and the notes."""
    names = categories(results)
    head = ["model", *(TITLES[metric] for metric in ACCURACY), "worst category (image AUROC)"]
    rows = []
    for model in models(results):
        worst, price = worst_category(results, model), cost(results, model)
        rows.append(
            [
                model,
                *(_text(over_categories(results, model, metric)) for metric in ACCURACY),
                "-" if worst is None else f"{worst[0]} ({worst[1]})",
                f"{price['training_s']:.0f}",
                f"{price['milliseconds_median']:.0f}",
                f"{price['peak_memory_mib']:.0f}",
            ]
        )
    alone = [f"- {name}: {line}" for name, line in give_aways(results)]
    below = "\n".join([f"{ALONE}:", "", *alone])
    parts = [
        f"Mean over {len(names)} categories ({', '.join(names)})",
        markdown_table([*head, "training s", "ms per image", "peak MiB"], rows),
        below,
    ]
    for metric in ACCURACY:
        rows = [
            [model, *(_text(on_category(results, model, name, metric)) for name in names)]
            for model in models(results)
        ]
        table = markdown_table(["model", *names], rows)
        parts += [f"{TITLES[metric]} per category", table, below]
    parts.append("\n".join(f"- {name}: {note}" for name, note in notes(results)))
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: Spread | None) -> str:
    return "-" if value is None else str(value)
