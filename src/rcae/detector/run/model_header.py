"""What a model file says beside its weights; the same in every format a model is kept in."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from rcae.base.errors import CheckpointError, SettingsError
from rcae.base.settings import Settings, to_plain, validate
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration import Calibration


class _Provenance(BaseModel):
    """What a provenance that can be reported has; it is kept as it is, whatever else is in it."""

    model_config = ConfigDict(strict=True)

    category: str
    training_images: int
    data_sha256: str
    fine_tuned_on: list[str] = []


@dataclass(frozen=True)
class ModelHeader:
    """Everything a prediction depends on but the networks' weights."""

    settings: Settings
    working_view: WorkingView
    calibration: Calibration
    provenance: dict[str, Any]
    """Where the model comes from: category, versions, counts, hash of the data list."""

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON; see docs/file-format.md."""
        frame = self.working_view.frame
        return {
            "settings": to_plain(self.settings),
            "working_view": {
                "scale": self.working_view.scale,
                "squashed_px": self.working_view.squashed_px,
                "brightness": self.working_view.brightness,
                "frame": None if frame is None else asdict(frame),
            },
            "calibration": self.calibration.model_dump(mode="json", exclude_none=True),
            "provenance": self.provenance,
        }

    @property
    def training_facts(self) -> dict[str, str]:
        """What was trained, and for how long, by the names that reports give it."""
        image, training = self.settings.image, self.settings.training
        stages = (training.reconstruction, training.detail, training.detection)
        return {
            "Seed": str(self.settings.seed),
            "Recursion depth N": str(self.settings.model.recursion_depth),
            "Working image": f"about {image.size_px} x {image.size_px} px, {image.resize}{self._cut}",
            "Steps": " / ".join(str(stage.steps) for stage in stages),
        }

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
        """The inverse of `to_plain`.

        Raises:
            CheckpointError: names `path`, where the values come from, and what is wrong with them.
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
    """The error for a file whose header or weights do not make a model."""
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
