"""`rcae export` and `rcae verify`: a run to a file, and the file against the run."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rcae.base.errors import UsageError
from rcae.base.progress import shown
from rcae.data.folders import expand_paths
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.detector import Detector
from rcae.export.onnx_export import Precision, export_onnx
from rcae.export.openvino_export import export_openvino
from rcae.export.verification import Difference, differences
from rcae.runners.exported import ExportedRunner, ExportRecord
from rcae.runners.openvino_runner import OpenvinoRunner
from rcae.runners.runner import open_exported
from rcae.runners.torch_runner import TorchRunner

Target = Literal["onnx", "openvino"]
SUFFIXES: dict[Target, str] = {"onnx": ".onnx", "openvino": ".xml"}
MOST_IMAGES = 32
"""Of the good images, that int8 takes its ranges from."""


def export_run(
    run: Path, target: Target, precision: Precision, good: Path | None, file: Path
) -> None:
    """Write the model of a run for another runtime.

    Args:
        run: a run folder or its model file.
        target: the format.
        precision: see `export_onnx`.
        good: folder of good images, for int8.
        file: to write; its suffix is that of the format.

    Raises:
        UsageError: a wrong suffix, or int8 without good images.
        MissingExtraError, CheckpointError, ImageError, StorageError: as the steps raise.
    """
    suffix = SUFFIXES[target]
    if file.suffix != suffix:
        raise UsageError(f"{file} does not end in {suffix}; a file for {target} must.")
    if (precision == "int8") != (good is not None):
        raise UsageError(
            "int8, and nothing else, is calibrated on good images: give --precision int8 together "
            "with --good FOLDER."
        )
    model = TorchRunner.open(run, "cpu").model
    write = export_onnx if target == "onnx" else export_openvino
    write(model, precision, _some(good) if good else (), file)


def verify_export(
    run: Path, file: Path, paths: Sequence[str]
) -> tuple[ExportRecord, list[Difference]]:
    """Inspect images with the run and with the file, in every runtime installed that can open it.

    Args:
        run: a run folder or its model file.
        file: what `export_run` wrote.
        paths: images, folders or globs; or one category, whose test images are then labelled.

    Raises:
        UsageError: the file was made from another model.
        MissingExtraError: no runtime for the file is installed.
        CheckpointError, ImageError: as loading and inspecting raise.
    """
    original = TorchRunner.open(run, "cpu")
    runners = _runtimes(file)
    record = next(iter(runners.values())).record
    if record.weights_sha256 != original.weights_sha256:
        raise UsageError(f"{file} was made from another model than that of {run}; export it again.")
    images, labels = _images(paths)
    others = {name: Detector(runner) for name, runner in runners.items()}
    return record, differences(Detector(original), others, images, labels)


def _runtimes(file: Path) -> dict[str, ExportedRunner]:
    """The file in every runtime that is meant to open it.

    OpenVINO also reads ONNX, where it is installed; but not int8, whose operators it rewrites until
    the answers are others: it has a format of its own for that.
    """
    runner = open_exported(file)
    if isinstance(runner, OpenvinoRunner):
        return {"OpenVINO": runner}
    runners = {"ONNX Runtime": runner}
    if runner.record.precision != "int8" and find_spec("openvino"):
        runners["OpenVINO"] = OpenvinoRunner(file)
    return runners


def _some(folder: Path) -> Iterator[NDArray[np.float32]]:
    """Good images of a category or a plain folder, evenly spread."""
    paths = [record.path for record in open_category(folder).train_good]
    step = max(1, len(paths) // MOST_IMAGES)
    for path in shown(paths[::step][:MOST_IMAGES], "measuring ranges for int8"):
        yield read_image(path)


def _images(paths: Sequence[str]) -> tuple[list[Path], list[bool] | None]:
    """The files, and whether each is defective where a category says so.

    Of a category the test images; where its good images are all training images, those as well.
    """
    if len(paths) == 1 and Path(paths[0]).is_dir():
        category = open_category(Path(paths[0]))
        if category.test:
            has_both = any(not record.is_defective for record in category.test)
            records = category.test if has_both else category.records
            return [one.path for one in records], [one.is_defective for one in records]
    return list(expand_paths(paths)), None
