"""Demonstration: real solar cells from a PyPI package, trained and evaluated in ten minutes."""

import shutil
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from rcae.base.errors import MissingExtraError, StorageError
from rcae.base.progress import say
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.evaluate import evaluate_detector
from rcae.evaluation.evaluate_report import table, write_evaluation
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
        RcaeError: the errors of training and evaluation.
    """
    say(LICENCE)
    data, folder = output / "solar-cells", RunFolder(output / "run")
    if not data.exists():
        lay_out_solar_cells(data)
    if not folder.model.exists():
        interrupted = folder.settings.exists()
        request = Request() if interrupted else Request(budget_s=BUDGET_S)
        train(data, folder.path, request, resume=interrupted)
    detector = Detector.load(folder.path)
    evaluation = evaluate_detector(detector, data)
    say(table(evaluation))
    return write_evaluation(folder.evaluation, evaluation, detector, licence_note=LICENCE)


def lay_out_solar_cells(data: Path) -> None:
    """Copy monocrystalline cells (one product, one model) as a category in MVTec AD layout.

    The last good cells of the package's list are test images, because they come from other solar
    modules than the first ones. Defective test cells are spread over the whole list.
    The package has no masks.

    Raises:
        MissingExtraError: the package is not installed.
        StorageError: the disk refused; `data` does not exist then.
    """
    cells = solar_cells("mono")
    good_for_test = TEST_COUNTS["good"]
    chosen = {
        "train/good": cells["good"][:-good_for_test],
        "test/good": cells["good"][-good_for_test:],
    }
    for kind in ("defective", "probably_defective"):
        chosen[f"test/{kind}"] = spread_over(cells[kind], TEST_COUNTS[kind])
    copy_cells(chosen, data)


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
    try:
        return resources.files("elpv_dataset")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "the demo's images are not installed; run: pip install 'rcae[demo]'"
        ) from error
