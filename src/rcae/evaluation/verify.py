"""Verification of an exported file: it must agree with its run, on the user's own images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rcae.base.errors import UsageError, VerificationError
from rcae.base.progress import shown
from rcae.data.folders import expand_paths
from rcae.data.layouts.category import open_category
from rcae.data.layouts.image_list import is_image_list
from rcae.detector.calibration import RUNTIME_MARGIN
from rcae.detector.detection import Detection
from rcae.detector.detector import Detector
from rcae.detector.runners.exported import ExportedRunner
from rcae.detector.runners.openvino_runner import OpenvinoRunner
from rcae.detector.runners.runner import open_exported
from rcae.detector.runners.torch_runner import TorchRunner
from rcae.evaluation.metrics.ranking import image_metrics

TOLERANCES = {"fp32": RUNTIME_MARGIN, "fp16": 1e-2, "int8": 0.5}
"""Largest difference of scores and maps, in units of threshold minus typical value.

The unit is the distance from usual to defective.
"""


@dataclass(frozen=True)
class Difference:
    """Difference between a runtime's answers and those of torch, over all images."""

    runtime: str
    image_count: int
    score_difference: float
    """Largest difference over all images, in the unit of `TOLERANCES`."""
    map_difference: float
    """Largest difference over all pixels, in the same unit."""
    flipped: tuple[Path, ...]
    """Images with another decision."""
    image_auroc: float | None
    """Image AUROC; None unless good and defective images are given."""
    torch_image_auroc: float | None

    def is_within(self, tolerance: float) -> bool:
        """Return True if scores and maps agree and no decision flips."""
        return max(self.score_difference, self.map_difference) <= tolerance and not self.flipped


@dataclass(frozen=True)
class Verification:
    """Agreement of an exported file with its run; `print` shows it as a table."""

    file: Path
    precision: str
    """Precision of the file: "fp32", "fp16" or "int8"."""
    differences: tuple[Difference, ...]
    """Differences from torch, one for each runtime."""

    @property
    def tolerance(self) -> float:
        """Largest difference allowed, see `TOLERANCES`."""
        return TOLERANCES[self.precision]

    @property
    def agrees(self) -> bool:
        """True if scores, maps and decisions agree in every runtime."""
        return not self._wrong

    @property
    def _wrong(self) -> list[str]:
        return [one.runtime for one in self.differences if not one.is_within(self.tolerance)]

    def require_agreement(self) -> None:
        """Refuse a file whose answers differ from the run's in a runtime.

        Raises:
            VerificationError: a score or map differs from torch by more than `tolerance`, or a decision
                flips.
        """
        if self._wrong:
            raise VerificationError(
                f"{self.file} does not agree with its run in {' and '.join(self._wrong)}: scores and maps "
                f"must lie within {self.tolerance:g} and no decision may flip. Do not use it there; export "
                "again, or in a higher precision."
            )

    def __str__(self) -> str:
        lines = [f"{'':14s}{'images':>8s}{'score':>10s}{'map':>10s}{'flipped':>9s}{'AUROC':>18s}"]
        for one in self.differences:
            auroc = "-"
            if one.image_auroc is not None and one.torch_image_auroc is not None:
                auroc = f"{one.image_auroc:.4f} ({one.image_auroc - one.torch_image_auroc:+.4f})"
            lines.append(
                f"{one.runtime:14s}{one.image_count:8d}{one.score_difference:10.1e}"
                f"{one.map_difference:10.1e}{len(one.flipped):9d}{auroc:>18s}"
            )
            lines += [f"  another decision: {path}" for path in one.flipped]
        lines.append(
            "score, map: largest difference from torch, where 1 is the way from usual to defective"
        )
        return "\n".join(lines)


def verify_export(run: Path, file: Path, paths: Sequence[str]) -> Verification:
    """Inspect images with the run and with the file, in every installed runtime that can open it.

    Args:
        run: Run folder or its model file.
        file: File that `export_run` wrote.
        paths: Images, folders or globs; or one category, whose test images have labels.

    Raises:
        UsageError: the file was made from another model.
        MissingExtraError: no runtime for the file is installed.
        CheckpointError, ImageError: the errors of loading and inspecting.
    """
    original = TorchRunner.open(run, "cpu")
    runners = _runtimes(file)
    record = next(iter(runners.values())).record
    if record.weights_sha256 != original.weights_sha256:
        raise UsageError(f"{file} was made from another model than that of {run}; export it again.")
    images, labels = _images(paths)
    others = {name: Detector(runner) for name, runner in runners.items()}
    found = differences(Detector(original), others, images, labels)
    return Verification(file, record.precision, tuple(found))


def _runtimes(file: Path) -> dict[str, ExportedRunner]:
    """Open the file in every runtime that should open it.

    OpenVINO, if installed, also reads ONNX, except for int8. It rewrites the operators of int8 so that
    the answers change; it has its own format for that.
    """
    runner = open_exported(file)
    if isinstance(runner, OpenvinoRunner):
        return {"OpenVINO": runner}
    runners = {"ONNX Runtime": runner}
    if runner.record.precision != "int8" and find_spec("openvino"):
        runners["OpenVINO"] = OpenvinoRunner(file)
    return runners


def differences(
    run: Detector,
    others: Mapping[str, Detector],
    images: Sequence[Path],
    labels: Sequence[bool] | None,
) -> list[Difference]:
    """Inspect every image with every runtime; memory does not grow with the number of images.

    Args:
        run: Trained model, on torch.
        others: The same model in other runtimes, by name.
        images: Image files.
        labels: True for each defective image, False for each good one; None if unknown.

    Raises:
        ImageError: an image is unreadable.
    """
    unit = run.calibration.threshold - run.calibration.typical_value
    scores: dict[str, list[float]] = {"torch": [], **{name: [] for name in others}}
    map_differences = dict.fromkeys(others, 0.0)
    flipped: dict[str, list[Path]] = {name: [] for name in others}
    for path in shown(images, "comparing"):
        expected = run.predict(path)
        scores["torch"].append(expected.anomaly_score)
        for name, other in others.items():
            seen = other.predict(path)
            scores[name].append(seen.anomaly_score)
            map_differences[name] = max(map_differences[name], _distance(seen, expected) / unit)
            if seen.is_defective != expected.is_defective:
                flipped[name].append(path)
    return [
        Difference(
            runtime=name,
            image_count=len(images),
            score_difference=float(np.ptp([scores[name], scores["torch"]], axis=0).max()) / unit,
            map_difference=map_differences[name],
            flipped=tuple(flipped[name]),
            image_auroc=_auroc(scores[name], labels),
            torch_image_auroc=_auroc(scores["torch"], labels),
        )
        for name in others
    ]


def _distance(seen: Detection, expected: Detection) -> float:
    return float(np.abs(seen.anomaly_map - expected.anomaly_map).max())


def _auroc(scores: Sequence[float], labels: Sequence[bool] | None) -> float | None:
    if labels is None:
        return None
    return image_metrics(np.array(scores, dtype=np.float32), np.array(labels))["image_auroc"]


def _images(paths: Sequence[str]) -> tuple[list[Path], list[bool] | None]:
    """Return the files, with the label of each if they are a category: True means defective.

    A category gives its test images. Its training images are added if no test image is good.
    """
    places = [path for path in map(Path, paths) if path.is_dir() or is_image_list(path)]
    if places and len(paths) == 1:
        category = open_category(places[0])
        if category.test:
            has_both = any(not sample.is_defective for sample in category.test)
            samples = category.test if has_both else category.samples
            return [one.path for one in samples], [one.is_defective for one in samples]
    return list(expand_paths(paths)), None
