"""Run of every model on every category with every seed, one process per cell; finished cells are kept."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rcae.base.errors import CellFailedError, UsageError
from rcae.base.progress import say, shown
from rcae.base.storage import write_text
from rcae.data.layouts.category import open_category
from rcae.data.result_folders import require_apart
from rcae.many.cluster import Needs
from rcae.many.commands import Command, run_commands
from rcae.study.cell import CellFolder, hash_data
from rcae.study.cell_result import CellResult
from rcae.study.contenders import CONTENDERS
from rcae.study.request import CellRequest


def run_cells(
    requests: Sequence[tuple[Path, CellRequest]],
    needs: Needs | None = None,
    address: str | None = None,
) -> Iterator[list[CellResult]]:
    """Run the cells one after the other; yield the results so far after each cell.

    A cluster runs them side by side instead, before the first results.

    Args:
        requests: the folder and the request of each cell.
        needs: resources of one cell on a cluster.
        address: address of a Ray cluster; None runs the cells on this machine.

    Raises:
        UsageError: a folder holds another request, finished or begun, or files of another version.
        CellFailedError: a cell ended with an error, which it has printed.
    """
    if address is not None:
        _run_on(address, needs or Needs(), requests)
    results: list[CellResult] = []
    for number, (path, request) in enumerate(requests, start=1):
        folder = CellFolder(path)
        if _is_finished(folder, request):
            say(f"cell {number}/{len(requests)}: {_title(request)} is finished, kept")
        else:
            say(f"cell {number}/{len(requests)}: {_title(request)}")
            _begin(folder, request)
            _run(folder)
        results.append(folder.read_result())
        yield results


def cell_requests(
    data: Sequence[Path], templates: Sequence[CellRequest], seeds: Sequence[int], output: Path
) -> list[tuple[Path, CellRequest]]:
    """Return a request for every template, category and seed, in an order that completes rows early.

    Args:
        data: category folders.
        templates: requests whose `data`, `data_sha256` and `seed` are filled in.
        seeds: seeds of the training.
        output: the folder that gets a folder per cell.

    Raises:
        UsageError: a model is unknown, a path has no category, or two categories have one name.
        DataError, ImageError: a category, or an image or mask in it, cannot be read.
    """
    for template in templates:
        CONTENDERS[template.model]
    categories = [open_category(path) for path in data]
    require_apart(output, [path for path in data if path.is_dir()])
    names = [category.name for category in categories]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two of the categories have the same name ({', '.join(sorted(names))}); rename a folder."
        )
    hashes = [hash_data(category) for category in categories]
    return [
        (
            output / "cells" / name / _slug(template.label) / f"seed-{seed}",
            replace(template, data=str(path.resolve()), data_sha256=data_sha256, seed=seed),
        )
        for path, name, data_sha256 in zip(data, names, hashes, strict=True)
        for seed in seeds
        for template in templates
    ]


def _slug(label: str) -> str:
    """Convert a label to a folder name."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower().replace("+", "plus")).strip("-")


def _title(request: CellRequest) -> str:
    return f"{request.label} on {Path(request.data).name}, seed {request.seed}"


def _is_finished(folder: CellFolder, request: CellRequest) -> bool:
    """Return True if the cell's result exists; refuse a folder of another request."""
    if not folder.is_begun:
        return False
    was, now = folder.read_request().options, request.options
    differences = [
        f"{name} was {was.get(name, 'not given')} and is {now.get(name, 'not given')}"
        for name in was | now
        if was.get(name) != now.get(name)
    ]
    if differences:
        raise UsageError(
            f"{folder.path} was made with other options or data ({folder.request}): "
            f"{', '.join(differences)}; give the same, or choose another -o folder."
        )
    return folder.result.exists()


def _begin(folder: CellFolder, request: CellRequest) -> None:
    if not folder.is_begun:
        folder.sittings.unlink(missing_ok=True)  # the work of these sessions is lost
    write_text(folder.request, json.dumps(asdict(request), indent=2) + "\n")


def _run_on(address: str, needs: Needs, requests: Sequence[tuple[Path, CellRequest]]) -> None:
    """Run all cells that are not finished on a cluster; a failed one stops no other."""
    commands = []
    for path, request in requests:
        folder = CellFolder(path.absolute())
        if not _is_finished(folder, request):
            _begin(folder, request)
            commands.append(Command(("run-cell", str(folder.path)), folder.path / "log.txt"))
    ended = run_commands(commands, needs, address)
    failed = [
        (command, end)
        for command, end in shown(ended, "running cells", total=len(commands))
        if end.exit_code
    ]
    if failed:
        command, end = failed[0]
        raise CellFailedError(
            f"{len(failed)} cells failed, first that in {command.log.parent}: {end.last_line} Mend the cause "
            "and run the same command again: finished cells are kept.",
            end.exit_code,
        )


def _run(folder: CellFolder) -> None:
    """Run the cell in its own process, so that the peak memory is that of this cell alone.

    The option -P keeps Python from importing modules of the user's current folder.
    """
    code = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-m", "rcae", "run-cell", str(folder.path)], check=False
    ).returncode
    if code:
        raise CellFailedError(
            f"the cell in {folder.path} ended with exit code {code}, see above; mend the cause and run "
            "the same command again: finished cells are kept.",
            code,
        )
