"""Header of a model file: all but its weights. It is the same in every file format of a model."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from rcae.base.errors import CheckpointError, SettingsError
from rcae.base.settings import Settings, to_plain, validate
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration import Calibration

PRETRAINED = (
    "early layers of EfficientNet-Lite0, frozen (ImageNet; (c) 2020 ML Illustrated, Apache-2.0)"
)
"""Part of a model that its own images have not taught."""


class _Provenance(BaseModel):
    """Keys that reports need of a provenance; further keys are kept unchanged."""

    model_config = ConfigDict(strict=True)

    category: str
    training_images: int
    data_sha256: str
    fine_tuned_on: list[str] = []
    plug_ins: dict[str, str] = {}


@dataclass(frozen=True)
class ModelHeader:
    """Everything that a prediction depends on, except the weights of the networks."""

    settings: Settings
    working_view: WorkingView
    calibration: Calibration
    provenance: dict[str, Any]
    """Origin of the model: category, versions, counts, hash of the data list."""

    def to_plain(self) -> dict[str, Any]:
        """Return plain values for JSON; see docs/file-format.md."""
        return {
            "settings": to_plain(self.settings),
            "working_view": TypeAdapter(WorkingView).dump_python(self.working_view, mode="json"),
            "calibration": self.calibration.model_dump(mode="json", exclude_none=True),
            "provenance": self.provenance,
        }

    @property
    def training_facts(self) -> dict[str, str]:
        """Facts about the trained model and the length of the training, by their names in reports."""
        image, training = self.settings.image, self.settings.training
        plug_ins = [f"{name} of {origin}" for name, origin in self.plug_ins.items()]
        stages = (training.reconstruction, training.detail, training.detection)
        return {
            "Seed": str(self.settings.seed),
            "Recursion depth N": str(self.settings.model.recursion_depth),
            "Working image": f"about {image.size_px} x {image.size_px} px, {image.resize}{self._cut}",
            "Steps": " / ".join(str(stage.steps) for stage in stages),
            "Pretrained": PRETRAINED if self.settings.model.uses_pretrained else "nothing",
            **({"Plug-ins": ", ".join(plug_ins)} if plug_ins else {}),
        }

    @property
    def plug_ins(self) -> dict[str, str]:
        """Package and version of each plug-in that the training used, by its kind and name."""
        used: dict[str, str] = self.provenance.get("plug_ins", {})
        return used

    @property
    def _cut(self) -> str:
        frame = self.working_view.frame
        if frame is None:
            return ""
        height, width = frame.size_px
        how = "turned and cut" if frame.still_at_px is None else "cut"
        return f", {how} to the part ({width} x {height} px)"

    @classmethod
    def from_plain(cls, plain: dict[str, Any], path: Path) -> Self:
        """Make a header from values of `to_plain`.

        Raises:
            CheckpointError: a value is missing or breaks a rule; the error names `path`, the origin of
                the values.
        """
        try:
            _Provenance.model_validate(plain["provenance"])
            view = {field.name: plain["working_view"][field.name] for field in fields(WorkingView)}
            return cls(
                settings=validate(plain["settings"], source=str(path)),
                working_view=TypeAdapter(WorkingView).validate_python(view),
                calibration=Calibration.model_validate(plain["calibration"]),
                provenance=plain["provenance"],
            )
        except (KeyError, TypeError, ValidationError, SettingsError) as error:
            raise incomplete(path, error) from error


def incomplete(path: Path, error: Exception) -> CheckpointError:
    """Return the error for a file whose header or weights do not make a model."""
    reason = str(error).splitlines()[0]
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        reason = (
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}, received {first['input']!r:.80}"
        )
    return CheckpointError(
        f"{path} does not hold a complete model ({reason}); train it again or copy it again from "
        "where it was trained."
    )
