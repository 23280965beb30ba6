"""The tables of `speed.py`: CSV with every figure, Markdown for people."""

import csv
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from speed_cases import CEILING, OURS, PEERS, Results, Row
from speed_chart import draw_chart

from rcae.study.summary import markdown_table

EXPORTED = ("onnxruntime", "openvino")
COLUMNS = (
    *("model", "size_px", "batch", "threads", "median_ms", "p95_ms", "fastest_ms", "calls"),
    *("images_per_s", "times_onnxruntime", "times_torch", "parameters", "gflop_per_image"),
    *("share_of_ceiling", "peak_memory_mib", "failed"),
)
PARTS_COLUMNS = (
    *("size_px", "threads", "part", "median_ms", "share_of_time", "gflop", "share_of_product"),
    *("gb", "share_of_copy"),
)


def write_tables(output: Path, results: Results) -> None:
    """`speed.csv`, `parts.csv`, `speed.md` and `speed.png`."""
    rows = _completed(results)
    parts = _parts(results)
    _write_csv(output / "speed.csv", COLUMNS, rows)
    _write_csv(output / "parts.csv", PARTS_COLUMNS, parts)
    sections = [_machine(results), _bars(rows), _table(rows), _parts_table(parts)]
    sections += [_growth(rows), _folders(results)]
    (output / "speed.md").write_text("\n\n".join(filter(None, sections)) + "\n", encoding="utf-8")
    (output / "speed.png").write_bytes(draw_chart(rows))


def _completed(results: Results) -> list[Row]:
    """The models' rows with what follows from others: ratios, and the share of the ceiling."""
    rows = [dict(row) for row in results.rows if row["model"] in (*OURS, *PEERS)]
    place = {model: number for number, model in enumerate((*OURS, *PEERS))}
    rows.sort(key=lambda row: (row["threads"], row["batch"], row["size_px"], place[row["model"]]))
    for row in rows:
        if "failed" in row:
            continue
        row["images_per_s"] = 1000 * row["batch"] / row["median_ms"]
        for model in ("onnxruntime", "torch"):
            ours = _same(rows, row, model)
            if ours:
                row[f"times_{model}"] = row["median_ms"] / ours["median_ms"]
        counted = row if "gflop_per_image" in row else _same(rows, row, "torch") or {}
        product, _ = _ceiling(results, row["threads"])
        if "gflop_per_image" in counted:  # an exported file does what torch does
            row["gflop_per_image"] = counted["gflop_per_image"]
            row["parameters"] = counted["parameters"]
            if product:
                row["share_of_ceiling"] = row["gflop_per_image"] * row["images_per_s"] / product
    return rows


def _same(rows: Sequence[Row], like: Row, model: str) -> Row | None:
    """The row of another model under the same conditions, if it was measured."""
    wanted = {key: like[key] for key in ("size_px", "batch", "threads")} | {"model": model}
    found = (row for row in rows if wanted.items() <= row.items() and "failed" not in row)
    return next(found, None)


def _ceiling(results: Results, threads: int) -> tuple[float | None, float | None]:
    """GFLOP/s of the matrix product, GB/s of the copy: each at its fastest."""
    rates: list[float | None] = []
    for model, amount in zip(CEILING, ("gflop", "gb"), strict=True):
        found = (r for r in results.rows if r["model"] == model and r["threads"] == threads)
        row = next(found, {})
        rates.append(1000 * row[amount] / row["fastest_ms"] if amount in row else None)
    return rates[0], rates[1]


def _parts(results: Results) -> list[Row]:
    rows = []
    for row in results.rows:
        product, copy = _ceiling(results, row["threads"])
        total_ms = sum(part["median_ms"] for part in row.get("parts", {}).values())
        for part, spent in row.get("parts", {}).items():
            seconds = spent["median_ms"] / 1000
            rows.append(
                {
                    **{key: row[key] for key in ("size_px", "threads")},
                    **spent,
                    "part": part,
                    "share_of_time": spent["median_ms"] / total_ms,
                    "share_of_product": product and spent["gflop"] / seconds / product,
                    "share_of_copy": copy and spent["gb"] / seconds / copy,
                }
            )
    return sorted(rows, key=lambda row: (row["threads"], row["size_px"]))


def _machine(results: Results) -> str:
    versions = []
    for name in ("rcae", "torch", "onnxruntime", "openvino"):
        try:
            versions.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            continue
    rows = []
    for threads in sorted({row["threads"] for row in results.rows}):
        product, copy = _ceiling(results, threads)
        rows.append([str(threads), _number(product, 0), _number(copy, 1)])
    ceiling = markdown_table(["threads", "large matrix product GFLOP/s", "large copy GB/s"], rows)
    return f"# Speed\n\n{platform.machine()}, {_processor()}; {', '.join(versions)}.\n\n{ceiling}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")


def _bars(rows: Sequence[Row]) -> str:
    """What the exported file is held to, at batch 1."""
    lines = ["## Exported, at batch 1", ""]
    for row in rows:
        others = {256: ("efficientad-s", "patchcore"), 1024: ("torch",)}.get(row["size_px"], ())
        if row["model"] not in EXPORTED or row["batch"] != 1 or "failed" in row:
            continue
        for model in others:
            other = _same(rows, row, model)
            if other:
                lines.append(
                    f"- {row['size_px']} px, threads {row['threads']}: {row['model']} is "
                    f"{other['median_ms'] / row['median_ms']:.2f} times as fast as {model}"
                )
    return "\n".join(lines) if lines[2:] else ""


def _table(rows: Sequence[Row]) -> str:
    head = (
        *("model", "size px", "batch", "threads", "median ms", "p95 ms", "images/s"),
        *("time, onnxruntime = 1", "time, torch = 1", "M parameters", "GFLOP/image"),
        *("of the product's GFLOP/s", "peak MiB"),
    )
    cells: list[tuple[object, ...]] = []
    for row in rows:
        place = (row["model"], row["size_px"], row["batch"], row["threads"])
        if "failed" in row:
            cells.append((*place, row["failed"], *[""] * (len(head) - 5)))
            continue
        figures = (row["median_ms"], row["p95_ms"], row["images_per_s"])
        parameters = row.get("parameters")
        cells.append(
            (
                *place,
                *(_number(figure, 1) for figure in figures),
                _number(row.get("times_onnxruntime"), 2),
                _number(row.get("times_torch"), 2),
                _number(parameters and parameters / 1e6, 2),
                _number(row.get("gflop_per_image"), 1),
                _percent(row.get("share_of_ceiling")),
                row["peak_memory_mib"],
            )
        )
    return _section("All cases", head, cells)


def _parts_table(parts: Sequence[Row]) -> str:
    head = (
        *("size px", "threads", "part", "ms", "of the time", "GFLOP"),
        *("of the product's GFLOP/s", "GB read and written", "of the copy's GB/s"),
    )
    cells = [
        (
            *(row["size_px"], row["threads"], row["part"], _number(row["median_ms"], 1)),
            *(_percent(row["share_of_time"]), _number(row["gflop"], 2)),
            *(_percent(row["share_of_product"]), _number(row["gb"], 2)),
            _percent(row["share_of_copy"]),
        )
        for row in parts
    ]
    return _section("The parts, torch, batch 1", head, cells)


def _growth(rows: Sequence[Row]) -> str:
    """Time per megapixel, which stays what it is where cost is linear in pixels and images."""
    ours = [row for row in rows if row["model"] in OURS and "failed" not in row]
    sizes = sorted({(row["batch"], row["size_px"]) for row in ours})
    head = ("model", "threads", *(f"{batch} x {size_px} px" for batch, size_px in sizes))
    cells: list[tuple[object, ...]] = []
    for threads in sorted({row["threads"] for row in ours}):
        for model in OURS:
            found = {
                (row["batch"], row["size_px"]): row["median_ms"]
                for row in ours
                if (row["model"], row["threads"]) == (model, threads)
            }
            per_megapixel = (
                _number(found[size] * 1e6 / (size[0] * size[1] ** 2) if size in found else None, 0)
                for size in sizes
            )
            cells.append((model, threads, *per_megapixel))
    return _section("Milliseconds per megapixel", head, cells)


def _folders(results: Results) -> str:
    head = ("images in the folder", "size px", "threads", "ms per image", "peak MiB")
    cells = []
    for row in sorted(results.rows, key=lambda row: row["batch"]):
        if row["model"] == "folder" and "failed" not in row:
            per_image = _number(row["median_ms"] / row["batch"], 1)
            place = (row["batch"], row["size_px"], row["threads"])
            cells.append((*place, per_image, row["peak_memory_mib"]))
    return _section("`rcae predict` on a folder, torch", head, cells)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table under its title; nothing where there are no rows."""
    table = markdown_table(head, [list(map(str, row)) for row in rows])
    return f"## {title}\n\n{table}" if rows else ""


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
