"""Demonstration: real solar cells from a PyPI package, trained and evaluated in ten minutes."""

import hashlib
import shutil
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from rcae.base.errors import StorageError, UsageError
from rcae.base.extras import require
from rcae.base.progress import say
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.evaluate import evaluate_detector
from rcae.evaluation.evaluate_report import write_evaluation
from rcae.evaluation.result import EvaluationResult
from rcae.training.request import Request
from rcae.training.trainer import train

LICENCE = (
    "Images: ELPV, electroluminescence images of solar cells (Deitsch et al., Solar Energy 2019; "
    "Buerhop-Lutz et al., EU PVSEC 2018), CC BY-NC-SA 4.0, not for commercial use."
)
BUDGET_S = 5.0 * 60
TEST_COUNTS = {"good": 80, "defective": 60, "probably_defective": 40}


def run_demo(output: Path) -> Path:
    """Copy the images, train and evaluate; return the path of the report.

    A second call resumes an interrupted one.

    Raises:
        MissingExtraError: the package with the images is not installed.
        UsageError: the folder holds the cells of another version.
        RcaeError: the errors of training and evaluation.
    """
    say(LICENCE)
    data, folder = output / "solar-cells", RunFolder(output / "run")
    if not data.exists():
        lay_out_solar_cells(data)
    elif _test_cells(data) != {Path(name).name for name in demo_cells()["test/good"]}:
        raise UsageError(
            f"{data} was laid out by another version of rcae, with other test images; choose another "
            "-o folder."
        )
    if not folder.model.exists():
        interrupted = folder.settings.exists()
        request = Request() if interrupted else Request(budget_s=BUDGET_S)
        train(data, folder.path, request, resume=interrupted)
    detector = Detector.load(folder.path)
    evaluation = evaluate_detector(detector, data)
    say(first_screen(evaluation.metrics))
    return write_evaluation(folder.evaluation, evaluation, detector, licence_note=LICENCE)


def first_screen(result: EvaluationResult) -> str:
    """Return the result on clearly defective and good cells, as text for a terminal."""
    clear, vague = (result.defect_types[kind] for kind in ("defective", "probably_defective"))
    return (
        f"found {clear.detected_count} of {clear.image_count} clearly defective cells, with false "
        f"alarms on {result.false_alarm_count} of {result.good_count} good ones "
        f"(promised: at most {result.false_alarm_rate_promised:.1%})\n"
        f"image AUROC {clear.image_auroc:.3f}, image AP {clear.image_ap:.3f}\n"
        f"The report also has {vague.image_count} cells that are only probably defective."
    )


def lay_out_solar_cells(data: Path) -> None:
    """Copy the demo's cells as a category in MVTec AD layout, without masks, which the package lacks.

    Raises:
        MissingExtraError: the package is not installed.
        StorageError: the disk refused; `data` does not exist then.
    """
    copy_cells(demo_cells(), data)


def demo_cells() -> dict[str, list[str]]:
    """Return the names of the demo's monocrystalline cells (one product, one model) by folder.

    Good test cells are drawn by hash, so that they come from all solar modules, as training cells do.
    Defective test cells are spread over the whole list.

    Raises:
        MissingExtraError: the package is not installed.
    """
    cells = solar_cells("mono")
    tested = set(_drawn_by_hash(cells["good"], TEST_COUNTS["good"]))
    chosen = {
        "train/good": [name for name in cells["good"] if name not in tested],
        "test/good": [name for name in cells["good"] if name in tested],
    }
    for kind in ("defective", "probably_defective"):
        chosen[f"test/{kind}"] = spread_over(cells[kind], TEST_COUNTS[kind])
    return chosen


def _drawn_by_hash(names: list[str], count: int) -> list[str]:
    """Return the names of the cells whose content has the lowest SHA-256."""
    data = _package().joinpath("data")
    return sorted(
        names, key=lambda name: hashlib.sha256(data.joinpath(name).read_bytes()).digest()
    )[:count]


def _test_cells(data: Path) -> set[str]:
    """Return the file names of the good test cells in a folder, none if it has no such cells."""
    return {path.name for path in data.glob("test/good/*")}


def solar_cells(crystal: str) -> dict[str, list[str]]:
    """Return the names of `mono` or `poly` crystalline cells with a clear label, in the package's order.

    The labelled defect probability is 0 for good, 1 for defective, and 2/3 for probably defective.
    Cells with 1/3 are left out.

    Raises:
        MissingExtraError: the package is not installed.
    """
    kinds = {0.0: "good", 1.0: "defective", 0.67: "probably_defective"}
    rows = _package().joinpath("data", "labels.csv").read_text().splitlines()
    cells: dict[str, list[str]] = {kind: [] for kind in kinds.values()}
    for name, probability, found in map(str.split, rows):
        kind = kinds.get(round(float(probability), 2))
        if found == crystal and kind is not None:
            cells[kind].append(name)
    return cells


def spread_over(names: list[str], count: int) -> list[str]:
    """Return `count` of the names, evenly spaced over the whole list."""
    return names[:: len(names) // count][:count]


def copy_cells(chosen: dict[str, list[str]], data: Path) -> None:
    """Copy cells of the package to the folders of `data` that `chosen` names.

    Raises:
        StorageError: the disk refused; `data` does not exist then.
    """
    package, part = _package(), data.with_name(data.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        for folder, names in chosen.items():
            (part / folder).mkdir(parents=True)
            for name in names:
                target = part / folder / Path(name).name
                target.write_bytes(package.joinpath("data", name).read_bytes())
        part.rename(data)
    except OSError as error:
        raise StorageError(
            f"{data} could not be written ({error.strerror or error}); free space or choose another "
            "-o folder."
        ) from error


def _package() -> Traversable:
    require("elpv_dataset", purpose="the demo")
    return resources.files("elpv_dataset")
