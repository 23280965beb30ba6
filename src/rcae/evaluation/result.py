"""The result of an evaluation: one class that is computed, written as metrics.json, read back and shown."""

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
    """The needed keys of a file: others are passed over, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _OfCategory(Part):
    category: str
    """The category's name."""


class Ranking(Part):
    """The metrics of ranking defects above what is good, each in 0..1; None is undefined."""

    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    """The highest F1 over all thresholds on the image score (oracle)."""
    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None
    """The highest F1 over all thresholds on the pixels (oracle)."""
    aupro: float | None
    """The area under the per-region overlap, up to a false-positive rate of 0.3."""
    aupro_5: float | None
    """The same area up to a false-positive rate of 0.05."""


class DefectTypeResult(Ranking):
    """The images of one defect type against all good test images."""

    image_count: int
    """The images of this type, at least 1."""
    detected_count: int
    """Those whose score reaches the threshold."""


MAY_BE_UNDEFINED = (
    *Ranking.model_fields,
    "false_alarm_rate_seen",
    "detection_rate",
    "detection_rate_at_1_percent",
    "detection_rate_at_5_percent",
)
"""The fields of `EvaluationResult` that are None where `undefined` says why."""


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
    """Scores at or above it are defective."""
    false_alarm_rate_promised: float
    """The promised upper bound on the rejected share of good images, in 0..1."""
    false_alarm_rate_seen: float | None
    """The rejected share of the good test images, in 0..1; None without any."""
    detection_rate: float | None
    """The rejected share of the defective test images, in 0..1; None without any."""
    detection_rate_at_1_percent: float | None
    """The share at the threshold that calibration sets for a false-alarm rate of 0.01."""
    detection_rate_at_5_percent: float | None
    """The share at the threshold that calibration sets for a false-alarm rate of 0.05."""
    milliseconds_median: float
    """The median time per image, decoding included."""
    milliseconds_p95: float
    """The 95th percentile of the time per image."""
    peak_memory_mib: int | None
    """The peak of the whole process; None where the system does not say."""
    defect_types: dict[str, DefectTypeResult]
    """The result of each defect type, sorted by name."""
    undefined: dict[str, str]
    """The reason for each metric that is None, by the name of its field."""
    test_images_known: int = 0
    """Test images that the model was trained or calibrated on; 0 where a file does not say."""

    @model_validator(mode="after")
    def _require_reasons(self) -> Self:
        missing = {name for name in MAY_BE_UNDEFINED if getattr(self, name) is None}
        if missing != self.undefined.keys():
            wrong = ", ".join(sorted(missing ^ self.undefined.keys()))
            raise ValueError(f"a metric is a number or has a reason in 'undefined', not so {wrong}")
        return self

    @property
    def detected_count(self) -> int:
        """The defective test images whose score reaches the threshold."""
        return sum(one.detected_count for one in self.defect_types.values())

    @property
    def false_alarm_count(self) -> int:
        """The good test images whose score reaches the threshold."""
        return round((self.false_alarm_rate_seen or 0.0) * self.good_count)

    @property
    def worst_first(self) -> list[str]:
        """The defect types, the lowest image AUROC first; types of equal AUROC by name."""
        types = self.defect_types
        return sorted(types, key=lambda name: (types[name].image_auroc or 0.0, name))

    def why_undefined(self, name: str) -> str:
        """Return why the metric of this field is None, for all test images or for a defect type.

        A type alone lacks a metric only where its masks cover every pixel and no image is good.
        """
        return self.undefined.get(name, MASKS_DIVIDE_NOTHING)

    def to_json(self) -> str:
        """Return the text of metrics.json, without its last newline.

        Names of files that are no text stay lone surrogates, see `rcae.base.storage.write_text`.
        """
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False)
