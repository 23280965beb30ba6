"""A loaded model of the service, with its inspector, thread and drift."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rcae.base.errors import UsageError
from rcae.detector.detector import Detector
from rcae.drawing.pictures import HeatScale
from rcae.line.inspector import Inspector
from rcae.line.model_file import ModelFile
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from rcae.service.batching import Batcher
from rcae.service.drift_watch import DriftWatch
from rcae.service.limits import Limits


@dataclass(frozen=True)
class ServedModel:
    """Model that is loaded once, at the start of the service; no request loads another."""

    file: ModelFile
    inspector: Inspector
    batcher: Batcher
    drift: DriftWatch

    @property
    def name(self) -> str:
        """Name in URLs and in the record."""
        return self.inspector.name

    def heat_scale(self, threshold: float) -> HeatScale:
        """Return the heat scale of this threshold.

        Raises:
            UsageError: the threshold is not above the typical value of good images.
        """
        return HeatScale(self.inspector.detector.calibration.typical_value, threshold)

    @classmethod
    def of(
        cls,
        file: ModelFile,
        detector: Detector,
        record: Record,
        kept_images: KeptImages,
        limits: Limits,
    ) -> "ServedModel":
        """Create a served model from a loaded detector, and start its thread."""
        inspector = Inspector(file.name, detector, record, kept_images)
        batcher = Batcher(
            inspector.inspect,
            queue_images=limits.queue_images,
            images_at_once=limits.images_at_once,
            wait_s=limits.wait_s,
            gather_s=limits.gather_s,
        )
        drift = DriftWatch(record, file.name, inspector.model_sha256, detector.calibration)
        return cls(file, inspector, batcher, drift)


def load_models(
    paths: Sequence[Path],
    record: Record,
    kept_images: KeptImages,
    limits: Limits,
    load: Callable[[Path], Detector] = Detector.load,
) -> dict[str, ServedModel]:
    """Load all models by their names, and start a thread for each; see `Detector.load`.

    Raises:
        UsageError: two models have the same name, or one is missing.
        RcaeError: the errors of `Detector.load`.
    """
    models: dict[str, ServedModel] = {}
    for path in paths:
        detector = load(path)
        model = ServedModel.of(ModelFile(path), detector, record, kept_images, limits)
        if model.name in models:
            raise UsageError(
                f"{path} is the second model named '{model.name}'; rename one of the run folders, for "
                "the record tells models by their names."
            )
        models[model.name] = model
    return models
