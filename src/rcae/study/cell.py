"""One cell of the benchmark's table: a model on a category with a seed, trained and evaluated."""

import gzip
import hashlib
import json
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from pydantic import ValidationError

from rcae.base.errors import DataError, UsageError
from rcae.base.machine import package_versions, peak_memory_mib
from rcae.base.progress import shown
from rcae.base.storage import write_bytes, write_text
from rcae.data.doctor import give_aways
from rcae.data.good_images import hash_file
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.data.layouts.sample import Category
from rcae.detector.run.run_folder import RunFolder
from rcae.drawing.pictures import HeatScale, jpeg_bytes, overlay
from rcae.evaluation.evaluate import Predictor, evaluate_detector, full_map
from rcae.evaluation.evaluate_report import scores_csv
from rcae.evaluation.evaluation import Evaluation
from rcae.study.cell_result import CellResult
from rcae.study.request import CellRequest

PICTURES = 4
PICTURE_SIDE_PX = 320


@dataclass(frozen=True)
class CellFolder:
    """Files of one cell."""

    path: Path

    @property
    def request(self) -> Path:
        """Request of the cell."""
        return self.path / "request.json"

    def read_request(self) -> CellRequest:
        """Read the request as it was written.

        Raises:
            UsageError: another version of rcae wrote it, with other fields.
        """
        plain = json.loads(self.request.read_text(encoding="utf-8"))
        if plain.keys() != {field.name for field in fields(CellRequest)}:
            raise UsageError(
                f"{self.request} was written by another version of rcae, so that its settings and data "
                "cannot be checked; choose another -o folder."
            )
        return CellRequest(**{**plain, "values": tuple(plain["values"])})

    @property
    def sittings(self) -> Path:
        """Duration in seconds of every training session, interrupted ones included."""
        return self.path / "sittings.json"

    def read_sittings(self) -> list[float]:
        """Return the durations so far; the list is empty before the training."""
        return json.loads(self.sittings.read_text()) if self.sittings.exists() else []

    @property
    def result(self) -> Path:
        """Result of the cell; it is written last, so that its presence means a finished cell."""
        return self.path / "result.json"

    def read_result(self) -> CellResult:
        """Read the result as it was written.

        Raises:
            UsageError: another version of rcae wrote it, with other fields, or the file is damaged.
        """
        try:
            return CellResult.model_validate_json(self.result.read_bytes())
        except ValidationError as error:
            raise UsageError(
                f"{self.result} was written by another version of rcae, or is damaged; choose another -o "
                "folder."
            ) from error

    @property
    def scores(self) -> Path:
        """Scores, one row per test image."""
        return self.path / "scores.csv.gz"

    @property
    def pictures(self) -> Path:
        """Overlays of the same test images for every model."""
        return self.path / "pictures"

    @property
    def training(self) -> Path:
        """Run folder of the model itself."""
        return self.path / "run"

    @property
    def is_begun(self) -> bool:
        """True if there is a training to resume, or the result."""
        kept = (RunFolder(self.training).settings, self.result)
        return self.request.exists() and any(path.exists() for path in kept)


def hash_data(category: Category) -> str:
    """Return one SHA-256 of every image and mask with its role; equal hashes mean equal data.

    Raises:
        ImageError: a file cannot be read.
    """

    def told(*paths: Path) -> tuple[str, ...]:
        return tuple(
            text
            for path in paths
            for text in (path.relative_to(category.root).as_posix(), hash_file(path))
        )

    samples = [
        (sample.split, sample.defect_type, told(sample.path), told(*sample.mask_paths))
        for sample in shown(category.samples, "hashing images and masks")
    ]
    return hashlib.sha256(json.dumps(samples).encode()).hexdigest()


def run_cell(folder: CellFolder) -> None:
    """Train and evaluate the model, and write the files of the cell.

    Raises:
        DataError: the data has changed since the cell was requested.
        RcaeError: the errors of training and evaluation.
    """
    from rcae.study.contenders import CONTENDERS

    request = folder.read_request()
    model = CONTENDERS[request.model]
    started_at = time.perf_counter()
    try:
        inspector = model.train(request, folder.training)
    finally:
        sittings = [*folder.read_sittings(), round(time.perf_counter() - started_at, 1)]
        write_text(folder.sittings, json.dumps(sittings) + "\n")
    evaluation = evaluate_detector(inspector, Path(request.data))
    if hash_data(open_category(Path(request.data))) != request.data_sha256:
        raise DataError(
            f"{request.data} has changed since the benchmark was started; restore its images and masks, "
            "or start anew in another -o folder."
        )
    write_bytes(folder.scores, gzip.compress(scores_csv(evaluation).encode(), mtime=0))
    _write_pictures(folder, evaluation, inspector)
    measured = evaluation.metrics.model_copy(update={"peak_memory_mib": peak_memory_mib()})
    result = CellResult(
        **asdict(request),
        note=model.note,
        training_s=round(sum(sittings), 1),
        **measured.model_dump(),
        give_aways=give_aways.measure(evaluation.category).strengths,
        threads=torch.get_num_threads(),
        versions=package_versions(),
    )
    write_text(folder.result, result.to_json() + "\n")


def _write_pictures(folder: CellFolder, evaluation: Evaluation, inspector: Predictor) -> None:
    """Write overlays of the first image of the first defect types, and of the first good image.

    The images are chosen by their names, never by their scores.
    """
    firsts = {outcome.sample.defect_type: outcome for outcome in reversed(evaluation.outcomes)}
    good = firsts.pop("good", None)
    chosen = [firsts[name] for name in sorted(firsts)][: PICTURES - 1] + ([good] if good else [])
    scale = HeatScale(inspector.calibration.typical_value, inspector.calibration.threshold)
    for number, outcome in enumerate(chosen, start=1):
        picture = overlay(
            read_image(outcome.sample.path, inspector.usual), full_map(outcome), scale
        )
        picture.thumbnail((PICTURE_SIDE_PX, PICTURE_SIDE_PX))
        name = f"{number}-{outcome.sample.defect_type}.jpg"
        write_bytes(folder.pictures / name, jpeg_bytes(picture))
