"""Files of a benchmark: results.csv, results.md and a page with pictures side by side."""

import base64
from collections.abc import Sequence
from pathlib import Path

from rcae.base.storage import write_bytes, write_text
from rcae.drawing.page import page
from rcae.study import summary
from rcae.study.cell import CellFolder
from rcae.study.cell_result import CellResult


def write_benchmark(output: Path, results: Sequence[CellResult], paths: Sequence[Path]) -> Path:
    """Write all files from the results so far; return the path of the page.

    Args:
        output: the benchmark's folder.
        results: results of the first finished cells.
        paths: folders of all cells, in the same order; only folders with a result are read.

    Raises:
        StorageError: the disk refused; older files are intact.
    """
    write_text(output / "results.csv", summary.to_csv(results))
    write_text(output / "results.md", summary.to_markdown(results))
    html = page(
        "benchmark.html.jinja",
        results=results,
        summary=summary,
        pictures=_pictures(results, paths),
    )
    write_bytes(output / "results.html", html)
    return output / "results.html"


def _pictures(
    results: Sequence[CellResult], paths: Sequence[Path]
) -> dict[str, dict[str, dict[str, str]]]:
    """Return data URIs by category, then picture, then model, for the first seed of each."""
    shown: dict[str, dict[str, dict[str, str]]] = {}
    for result, path in zip(results, paths, strict=False):
        of_category = shown.setdefault(result.category, {})
        for file in sorted(CellFolder(path).pictures.glob("*.jpg")):
            uri = "data:image/jpeg;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
            of_category.setdefault(file.stem, {}).setdefault(result.label, uri)
    return shown
