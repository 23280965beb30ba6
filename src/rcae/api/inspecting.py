"""Functions around inspection: doctor, predict, merge, export, verify."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rcae.api.arguments import Images, texts
from rcae.base.progress import Callback, following, say
from rcae.base.storage import refusals_named
from rcae.data.doctor.diagnosis import Diagnosis
from rcae.data.doctor.examine import examine
from rcae.data.folders import folders_among, left_out_notes
from rcae.data.layouts.source import Data, DataSource
from rcae.data.result_folders import require_apart
from rcae.data.usual_image import SIZE_LIMIT
from rcae.detector.detector import Detector
from rcae.detector.predictions import PredictionCounts, predict_files

if TYPE_CHECKING:
    from rcae.detector.export.onnx_export import Precision
    from rcae.detector.export.run_export import Target
    from rcae.evaluation.verify import Verification


@refusals_named()
def doctor(
    data: str | Data, *, quiet: bool = False, callbacks: Sequence[Callback] = ()
) -> Diagnosis:
    """Check every image and mask of a category once, and list all problems.

    >>> diagnosis = rcae.doctor("parts", quiet=True)
    >>> diagnosis.can_train, diagnosis.can_evaluate
    (True, True)

    Args:
        data: Category, see `rcae.train`.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        UsageError, DataError: the errors of `open_category`.
    """
    with following(quiet=quiet, callbacks=callbacks):
        return examine(DataSource.of(data))


@refusals_named()
def predict(
    run: str | Path,
    images: Images,
    output: str | Path,
    *,
    overlays: bool = False,
    maps: bool = False,
    threads: int | None = None,
    size_limit: float = SIZE_LIMIT,
    require_signature: str | Path | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> PredictionCounts:
    """Inspect images, and write predictions.csv and predictions.jsonl.

    `Detector.predict_many` gives answers to a program instead.

    >>> rcae.predict("runs/parts", "new", "results", overlays=True, quiet=True)
    PredictionCounts(good=2, defective=1, unreadable=0)

    Args:
        run: Run folder, its model file, or an exported file.
        images: Files, folders, patterns, URLs or lists of images: one, or several.
        output: Folder for the results.
        overlays: True also writes each image under its heatmap.
        maps: True also writes each anomaly map as float32 .npy.
        threads: Number of CPU threads, see `Detector.load`.
        size_limit: Largest factor between the sizes of images, see `Detector.load`.
        require_signature: Public key that must have signed the model.
        quiet: True shows no progress, and no message below a warning.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        UsageError: `output` holds predictions, or lies where the images are read; no image is found.
        RcaeError: the errors of `Detector.load` and `predict_files`.
    """
    from rcae.many.inputs import locations

    places, folder = texts(images), Path(output)
    require_apart(folder, folders_among(places))
    with following(quiet=quiet, callbacks=callbacks):
        detector = Detector.load(
            run, threads=threads, size_limit=size_limit, require_signature=require_signature
        )
        files = list(locations(places))
        for note in left_out_notes(places):
            say(f"note: {note}")
        return predict_files(detector, files, folder, overlays=overlays, maps=maps)


@refusals_named()
def merge(
    output: str | Path, *, quiet: bool = False, callbacks: Sequence[Callback] = ()
) -> PredictionCounts:
    """Write one table from the parts that `rcae predict --shard` or `--ray` left in a folder.

    Args:
        output: Folder of these commands.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        RcaeError: the errors of `read_plan` and `rcae.many.parts.merge`, like a missing part.
    """
    from rcae.many.parts import merge as merge_parts
    from rcae.many.plan import read_plan

    with following(quiet=quiet, callbacks=callbacks):
        return merge_parts(read_plan(Path(output)))


@refusals_named()
def export(
    run: str | Path,
    output: str | Path,
    *,
    to: "Target",
    precision: "Precision" = "fp32",
    good: str | Path | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Path:
    """Write the model of a run for another runtime, pre- and post-processing included; return the file.

    >>> rcae.export("runs/parts", "parts.onnx", to="onnx").name
    'parts.onnx'

    Args:
        run: Run folder or its model file.
        output: File to write: .onnx or .xml.
        to: "onnx" or "openvino".
        precision: "fp32"; "fp16" halves the bytes of the weights; "int8" computes convolutions in 8 bits.
        good: Good images that set the ranges of int8.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        MissingExtraError: the extra `export` is not installed.
        UsageError: the suffix is wrong, or `good` does not fit the precision.
        RcaeError: the errors of `rcae.detector.export.run_export.export_run`.
    """
    from rcae.detector.export.run_export import export_run

    images = None if good is None else Path(good)
    with following(quiet=quiet, callbacks=callbacks):
        export_run(Path(run), to, precision, images, Path(output))
    return Path(output)


@refusals_named()
def verify(
    run: str | Path,
    file: str | Path,
    images: Images,
    *,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> "Verification":
    """Compare an exported file with its run on your own images, in every installed runtime.

    >>> file = rcae.export("runs/parts", "parts.onnx", to="onnx")
    >>> verification = rcae.verify("runs/parts", file, "parts", quiet=True)
    >>> verification.agrees
    True
    >>> verification.require_agreement()  # raises a VerificationError otherwise

    Args:
        run: Run folder or its model file.
        file: File that `rcae.export` wrote.
        images: Files, folders or patterns; or one category, whose labels also give the AUROC of both.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Raises:
        RcaeError: the errors of `rcae.evaluation.verify.verify_export`.
    """
    from rcae.evaluation.verify import verify_export

    with following(quiet=quiet, callbacks=callbacks):
        return verify_export(Path(run), Path(file), texts(images))
