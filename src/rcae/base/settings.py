"""All settings of a run, their rules, and their sources: preset, TOML file and single value."""

import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rcae.base.errors import SettingsError
from rcae.base.names import meant

Preset = Literal["quick", "standard", "scratch", "paper"]
PRESETS: tuple[Preset, ...] = ("quick", "standard", "scratch", "paper")
DEFAULT_PRESET: Preset = "quick"
STAGES = ("reconstruction", "detail", "detection")
"""Names of the three training stages, in order; also the names of their settings."""

Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(min_length=2, max_length=6)
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageSettings(_Section):
    """Conversion of a camera image into the network's input."""

    size_px: int = Field(ge=32, le=4096)
    """Side of a square whose area equals the area of a typical training image after the resize."""
    resize: Literal["keep_aspect", "squash"] = "keep_aspect"
    """`keep_aspect` uses one scale for every image of the model, so texture keeps its size."""
    exposure: Literal["camera", "equal"] = "camera"
    """`equal` scales every image to the mean brightness of a typical training image."""
    white_level: Literal["measured"] | Annotated[int, Field(ge=255, le=2**32 - 1)] = "measured"
    """Value of white in integers deeper than 8 bits whose file states none.

    `measured` takes the least depth, of 10, 12, 14, 16 or more bits, that holds every training image.
    """
    frame: Literal["camera", "part"] = "camera"
    """`part` crops to the part and rotates it to one direction.

    It applies where nearly all training images show one part before a plain background.
    """


class ModelSettings(_Section):
    """Architecture of the three networks; every ablation of the paper is one of these settings."""

    form: Literal["recursive", "plain"] = "recursive"
    """`plain` is the paper's baseline: a single-pass autoencoder without skip connections."""
    recursion_depth: int = Field(ge=1, le=8)
    """Number of recursion steps, N in the paper."""
    carried_channels: int = Field(ge=3, le=256)
    """Channels passed from one application of E or D to the next."""
    reconstruction_widths: Widths
    """Channels per level of the block inside E and D, or of the whole plain autoencoder."""
    detail_widths: Widths
    """Channels per level of the detail network, DPN."""
    detection_widths: Widths
    """Channels per level of the detection network, CRD."""
    detection_dimensions: Literal[2, 3]
    """Dimensions of CRD. 3 is the paper's 3D autoencoder.

    2 is a 2D network in which only the first convolution spans the recursion steps.
    """
    fold: Literal[1, 2, 4]
    """Side of the pixel blocks that the networks read as channels (space-to-depth).

    1 is the paper's value; 2 is much faster.
    """
    share_weights: bool = True
    """True uses one E and one D for all recursions; False gives each resolution its own."""
    skip_connections: bool = True
    """Skip connections inside E and inside D."""
    detail_network: bool = True
    """False removes DPN; CRD then reads I_R^n."""
    detection_network: bool = True
    """False removes CRD; the anomaly map is then the mean absolute error of the last step."""
    detection_steps: tuple[int, ...] | Literal["all"] = "all"
    """Recursion steps that CRD reads, counted from 1."""
    restoration: bool = False
    """True also trains CRD to reconstruct the image without its anomalies."""
    feature_distance: bool = False
    """True adds the distance between CRD's features and those of good images to CRD's map."""
    patch_memory: bool = False
    """True adds the distance of pretrained features from a memory of good patches, at three scales."""
    recursion_distance: bool = False
    """True adds the pretrained features that the last reconstruction lacks; see `RecursionDistance`."""
    evidence: tuple[str, ...] = ()
    """Further kinds of evidence that plug-ins add, by their names."""
    smoothing_px: int = Field(default=5, ge=1, le=101)
    """Odd side of the square mean filter on the map; the score is the maximum of the filtered map."""

    @model_validator(mode="after")
    def _steps_exist(self) -> Self:
        steps = self.used_steps
        if not steps or list(steps) != sorted(set(steps)) or not set(steps) <= set(self._all_steps):
            raise ValueError(
                f"detection_steps = {list(steps)} must be rising, different steps out of 1 to "
                f"recursion_depth = {self.recursion_depth}"
            )
        if self.smoothing_px % 2 == 0:
            raise ValueError(f"smoothing_px = {self.smoothing_px} must be odd")
        return self

    @property
    def uses_pretrained(self) -> bool:
        """True if any kind of evidence may read features of the pretrained network."""
        return self.patch_memory or self.recursion_distance or bool(self.evidence)

    @property
    def size_multiple(self) -> int:
        """Divisor of the height and width of every network input, in pixels."""
        return self.fold << self.recursion_depth

    @property
    def _all_steps(self) -> tuple[int, ...]:
        return tuple(range(1, self.recursion_depth + 1)) if self.form == "recursive" else (1,)

    @property
    def used_steps(self) -> tuple[int, ...]:
        """Recursion steps that reach the anomaly map, counted from 1."""
        if not self.detection_network:
            return self._all_steps[-1:]
        return self._all_steps if self.detection_steps == "all" else self.detection_steps


class StageSettings(_Section):
    """Length of one stage, in epochs or steps; `time_share` is its share of a time budget."""

    epochs: int | None = Field(default=None, ge=1)
    steps: int | None = Field(default=None, ge=1)
    time_share: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps, and not both")
        return self


class TrainingSettings(_Section):
    """Optimisation settings, the same for the three stages."""

    data_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the good images left after calibration that training uses; it uses at least 8 images."""
    crop_px: int = Field(ge=32, le=4096)
    """Side of the random square crops for training; it is smaller where all images are smaller."""
    batch_size: int = Field(ge=1, le=4096)
    learning_rate: float = Field(gt=0, le=1)
    schedule: Literal["constant", "cosine"]
    """`cosine` decays to zero at the end of each stage."""
    gradient_clip: Annotated[float, Field(gt=0)] | Literal["none"] = "none"
    """Largest norm of the gradient."""
    detection_loss: str
    """Loss of stage 3: `squared_error`, which is the paper's, `cross_entropy`, or that of a plug-in."""
    anomalous_share: float = Field(default=0.75, gt=0, le=1)
    """Share of the images of stage 3 that get pseudo anomalies.

    The other images teach what is good, except those with a seam across them.
    """
    pseudo_anomalies: Annotated[tuple[str, ...], Field(min_length=1)] = ("mixed",)
    """Painters of pseudo anomalies, drawn evenly: `mixed`, which is built in, or those of plug-ins."""
    varied: bool = False
    """True augments CRD's images by mirroring, light, noise and focus, with or without pseudo anomalies."""
    plain_first: bool = False
    """True begins stage 3 with plain strong patches; their share falls evenly until its end."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the forward passes in training; `bf16` is for GPUs. Weights are float32 in both."""
    compiled: bool = False
    """True compiles the forward passes in training, which first takes minutes. The model is the same."""
    reconstruction: StageSettings
    detail: StageSettings
    detection: StageSettings


class CalibrationSettings(_Section):
    """Settings of the held-out good images, which are never trained on and set the threshold."""

    share: float = Field(default=0.1, gt=0, lt=1)
    minimum_images: int = Field(default=8, ge=2)
    false_alarm_rate: float = Field(default=0.05, gt=0, lt=1)


class Settings(_Section):
    """Complete settings of a run, as its `settings.toml` holds them."""

    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    image: ImageSettings
    model: ModelSettings
    training: TrainingSettings
    calibration: CalibrationSettings = CalibrationSettings()

    @model_validator(mode="after")
    def _windows_fit_the_recursion(self) -> Self:
        multiple = self.model.size_multiple
        if self.training.crop_px % multiple:
            raise ValueError(
                f"training.crop_px = {self.training.crop_px} must be a multiple of "
                f"fold * 2^recursion_depth = {multiple}"
            )
        return self


def load_settings(
    preset: str, *, file: Path | None = None, values: Sequence[str] = (), seed: int | None = None
) -> Settings:
    """Return a preset, changed by a TOML file, then by single values, then by the seed.

    Args:
        preset: "quick", "standard", "scratch" or "paper".
        file: TOML with any of the keys of `settings.toml`.
        values: single settings, like "model.recursion_depth=3"; the right side is TOML, or plain text.
        seed: replaces the preset's seed.

    Raises:
        SettingsError: a preset or key is unknown, or a value breaks its rule.
    """
    if preset not in PRESETS:
        raise SettingsError(
            f"preset '{preset}' does not exist; choose one of {', '.join(PRESETS)}."
            f"{meant(preset, PRESETS)}"
        )
    tree = tomllib.loads(
        resources.files("rcae.base").joinpath(f"presets/{preset}.toml").read_text()
    )
    if file is not None:
        _merge(tree, _read_toml(file))
    for value in values:
        _merge(tree, _parse_value(value))
    if seed is not None:
        tree["seed"] = seed
    return validate(tree, source=str(file) if file else f"preset '{preset}'")


def validate(tree: dict[str, Any], *, source: str) -> Settings:
    """Return validated settings from nested plain values, as TOML and JSON give them.

    Raises:
        SettingsError: names `source`, the first invalid key, the rule and the value received.
    """
    try:
        return Settings.model_validate(_lists_to_tuples(tree))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(_key(first["loc"]))
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"{source}: '{key}' is not a setting; {_known_keys(key)}"
            ) from error
        reason = first["msg"].removeprefix("Value error, ")
        received = (
            "" if first["type"] in ("missing", "value_error") else f", received {first['input']!r}"
        )
        place = f"'{key}': " if key else ""
        raise SettingsError(f"{source}: {place}{reason}{received}.") from error


def to_plain(settings: Settings) -> dict[str, Any]:
    """Return nested plain values for TOML and JSON, without settings that are None."""
    plain: dict[str, Any] = settings.model_dump(mode="json", exclude_none=True)
    return plain


def _key(location: Sequence[str | int]) -> Iterator[str]:
    """Yield the parts of the key where pydantic found an error.

    The names of the types that pydantic tried at that place are left out.
    """
    section: Any = Settings
    for part in location:
        if section is not None:
            yield str(part)
            field = section.model_fields.get(part)
            leads_to = None if field is None else field.annotation
            section = leads_to if hasattr(leads_to, "model_fields") else None
        elif isinstance(part, int):  # index of a list item
            yield str(part)


def _known_keys(key: str) -> str:
    section, model = "", Settings
    for part in key.split(".")[:-1]:
        section, model = f"{section}{part}.", model.model_fields[part].annotation  # type: ignore[assignment]
    names = [section + name for name in model.model_fields]
    return f"the keys here are {', '.join(names)}.{meant(key, names)}"


def _merge(tree: dict[str, Any], change: dict[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            # The change sets the length of a stage: its steps replace the preset's epochs.
            if {"epochs", "steps"} & value.keys():
                tree[key] = {k: v for k, v in tree[key].items() if k not in ("epochs", "steps")}
            _merge(tree[key], value)
        else:
            tree[key] = value


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"settings file {file} does not exist; check the path.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"settings file {file} is not readable TOML: {error}.") from error


def _parse_value(text: str) -> dict[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise SettingsError(
            f"'{text}' is not a setting; write SECTION.KEY=VALUE, like model.recursion_depth=3."
        )
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    for part in reversed(key.strip().split(".")):
        parsed = {part: parsed}
    tree: dict[str, Any] = parsed
    return tree


def _lists_to_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    return tuple(value) if isinstance(value, list) else value
