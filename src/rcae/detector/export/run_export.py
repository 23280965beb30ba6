"""Export of a run to a file for another runtime."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rcae.base.arrays import Array
from rcae.base.errors import UsageError
from rcae.base.progress import shown
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.detector.export.onnx_export import Precision, export_onnx
from rcae.detector.export.openvino_export import export_openvino
from rcae.detector.runners.torch_runner import TorchRunner

Target = Literal["onnx", "openvino"]
SUFFIXES: dict[Target, str] = {"onnx": ".onnx", "openvino": ".xml"}
MOST_IMAGES = 32
"""Largest number of good images that give the ranges for int8."""


def export_run(
    run: Path, target: Target, precision: Precision, good: Path | None, file: Path
) -> None:
    """Write the model of a run for another runtime.

    Args:
        run: Run folder or its model file.
        target: Format of the file.
        precision: see `export_onnx`.
        good: Folder of good images; int8 needs it, and nothing else takes it.
        file: File to write; its suffix is that of the format.

    Raises:
        UsageError: the suffix is wrong, int8 lacks good images, or another precision has them.
        MissingExtraError, CheckpointError, ImageError, StorageError: the errors of the steps.
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


def _some(folder: Path) -> Iterator[Array]:
    """Read up to `MOST_IMAGES` good images of a category or a plain folder, evenly spread."""
    paths = [sample.path for sample in open_category(folder).train_good]
    step = max(1, len(paths) // MOST_IMAGES)
    for path in shown(paths[::step][:MOST_IMAGES], "measuring ranges for int8"):
        yield read_image(path)
