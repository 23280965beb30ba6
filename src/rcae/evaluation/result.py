"""Result of an evaluation: one class that is computed, written as metrics.json, read back and shown."""

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

SUMMARY = {
    "image_auroc": ("Image AUROC", "chance that a defective image scores above a good one"),
    "image_ap": ("Image AP", "mean precision over all thresholds on the image score"),
    "pixel_auroc": ("Pixel AUROC", "chance that a defective pixel scores above a good one"),
    "pixel_ap": ("Pixel AP", "mean precision over all thresholds on the pixels"),
    "aupro": ("AUPRO", "mean share of each defect region found, up to 30 % false pixels"),
}
"""Title and meaning of each main metric, by the name of its field in `Ranking`."""
ONE_CLASS = "the test images are all good or all defective"
NO_MASKS = "the defective test images have no masks"
MASKS_DIVIDE_NOTHING = "the masks cover no pixel or every pixel"


class Part(BaseModel):
    """Base of a class that is read from a file: other keys are ignored, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _OfCategory(Part):
    category: str
    """Name of the category."""


class Ranking(Part):
    """Metrics of scores and maps that separate defective from good, each in 0..1; None: not defined."""

    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    """F1 at the threshold that suits these images best (oracle)."""
    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None
    """F1 at the threshold that suits these pixels best (oracle)."""
    aupro: float | None
    """AUPRO up to a false-positive rate of 0.3."""
    aupro_5: float | None
    """AUPRO up to a false-positive rate of 0.05."""


class DefectTypeResult(Ranking):
    """The images of one defect type against all good test images."""

    image_count: int
    """Number of images of this type, at least 1."""
    detected_count: int
    """Number of images of this type with a score at or above the threshold."""


MAY_BE_UNDEFINED = (
    *Ranking.model_fields,
    "false_alarm_rate_seen",
    "detection_rate",
    "detection_rate_at_1_percent",
    "detection_rate_at_5_percent",
)
"""Fields of `EvaluationResult` that may be None; `undefined` then gives the reason."""


class EvaluationResult(Ranking, _OfCategory):
    """All figures of one evaluation; the fields are the keys of metrics.json, in the same order.

    Raises:
        ValidationError: a number is NaN or infinite, or the keys of `undefined` are not the metrics that
            are None.
    """

    image_count: int
    good_count: int
    defective_count: int
    threshold: float
    """Threshold; scores at or above it are defective."""
    false_alarm_rate_promised: float
    """Promised share of false alarms on good images, in 0..1."""
    false_alarm_rate_seen: float | None
    """Share of the good test images that raise a false alarm, in 0..1; None without good images."""
    detection_rate: float | None
    """Share of the defective test images that are rejected, in 0..1; None without defective images."""
    detection_rate_at_1_percent: float | None
    """Detection rate at the threshold that calibration sets for a false-alarm rate of 0.01."""
    detection_rate_at_5_percent: float | None
    """Detection rate at the threshold that calibration sets for a false-alarm rate of 0.05."""
    milliseconds_median: float
    """Median time per image, decoding included."""
    milliseconds_p95: float
    """95th percentile of the time per image: 95 % of the images take at most this long."""
    peak_memory_mib: int | None
    """Peak memory of the whole process; None where the system does not report it."""
    defect_types: dict[str, DefectTypeResult]
    """Result of each defect type, in the order of their names."""
    undefined: dict[str, str]
    """Reason why a metric is None, by the name of its field."""
    test_images_known: int = 0
    """Number of test images that the model was trained or calibrated on; 0 if a file lacks it."""

    @model_validator(mode="after")
    def _require_reasons(self) -> Self:
        missing = {name for name in MAY_BE_UNDEFINED if getattr(self, name) is None}
        if missing != self.undefined.keys():
            wrong = ", ".join(sorted(missing ^ self.undefined.keys()))
            raise ValueError(f"a metric is a number or has a reason in 'undefined', not so {wrong}")
        return self

    @property
    def detected_count(self) -> int:
        """Number of defective test images with a score at or above the threshold."""
        return sum(one.detected_count for one in self.defect_types.values())

    @property
    def false_alarm_count(self) -> int:
        """Number of good test images with a score at or above the threshold."""
        return round((self.false_alarm_rate_seen or 0.0) * self.good_count)

    @property
    def worst_first(self) -> list[str]:
        """The defect types, the lowest image AUROC first; equal ones are in the order of their names."""
        types = self.defect_types
        return sorted(types, key=lambda name: (types[name].image_auroc or 0.0, name))

    def why_undefined(self, name: str) -> str:
        """Return the reason why the metric of this field is None, for all test images or a defect type.

        A type alone lacks a metric only if its masks cover every pixel and no image is good.
        """
        return self.undefined.get(name, MASKS_DIVIDE_NOTHING)

    def to_json(self) -> str:
        """Return the text of metrics.json, without its last newline.

        Undecodable bytes of file names stay lone surrogates, see `rcae.base.storage.write_text`.
        """
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False)
