"""The run folder: the name of every file in it, and functions that read and write its plain files."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from rcae.base.errors import CheckpointError, UsageError
from rcae.base.settings import Settings, to_plain, validate
from rcae.base.storage import write_text
from rcae.base.text import csv_text
from rcae.data.layouts.source import Data, DataSource


@dataclass(frozen=True)
class RunFolder:
    """The files of one training run."""

    path: Path

    @property
    def settings(self) -> Path:
        """Complete settings, step counts included; they repeat the run."""
        return self.path / "settings.toml"

    @property
    def record(self) -> Path:
        """Seed, versions, machine, data, plan, timings."""
        return self.path / "run.json"

    @property
    def data(self) -> Path:
        """Every good image: its role and hash."""
        return self.path / "data.csv"

    @property
    def losses(self) -> Path:
        """The loss of every step."""
        return self.path / "losses.csv"

    @property
    def loss_chart(self) -> Path:
        """The losses as a picture."""
        return self.path / "losses.png"

    @property
    def samples(self) -> Path:
        """Pictures of the recursion."""
        return self.path / "samples"

    @property
    def state(self) -> Path:
        """Training state for `--resume`; removed when the model is finished."""
        return self.path / "training-state.safetensors"

    @property
    def lock(self) -> Path:
        """Lock of the process that trains; removed when it ends."""
        return self.path / "training.lock"

    @property
    def evaluation(self) -> Path:
        """Folder of `rcae evaluate`: report, metrics, scores, pictures."""
        return self.path / "evaluation"

    @property
    def model(self) -> Path:
        """The model: all that a prediction needs."""
        return self.path / "model.safetensors"

    @property
    def versions(self) -> Path:
        """Earlier models of the run, kept when another model replaced them."""
        return self.path / "versions"

    @property
    def calibration(self) -> Path:
        """The images behind the threshold, with hash and score."""
        return self.path / "calibration.csv"

    @property
    def feedback(self) -> Path:
        """Verdicts of people on inspected images, one line each, append-only."""
        return self.path / "feedback.jsonl"

    @property
    def feedback_files(self) -> Path:
        """Copies of images with a verdict, and of masks, named by their hashes."""
        return self.path / "feedback"

    @property
    def card(self) -> Path:
        """The model card in Markdown."""
        return self.path / "card.md"

    @property
    def card_page(self) -> Path:
        """The model card as a page."""
        return self.path / "card.html"

    @property
    def manifest(self) -> Path:
        """Hashes of the signed files."""
        return self.path / "manifest.json"

    @property
    def signature(self) -> Path:
        """Signature over the exact bytes of the manifest."""
        return self.path / "manifest.json.sig"

    def require_finished(self) -> None:
        """Refuse a path that is not the folder of a finished run.

        Raises:
            UsageError: the path is no folder, or holds no finished model.
        """
        if not self.path.is_dir():
            raise UsageError(f"{self.path} is not a folder; give the run folder of 'rcae train'.")
        if not self.model.is_file():
            raise UsageError(
                f"{self.path} holds no finished model; give the -o folder of a finished 'rcae train'."
            )

    def require_free(self) -> None:
        """Refuse a folder that is not empty; files that a killed start left behind do not count.

        Raises:
            UsageError: the folder holds a finished run, an interrupted run, or other files.
        """
        if self.model.exists():
            raise UsageError(f"{self.path} already holds a finished run; choose another -o folder.")
        if self.settings.exists():
            raise UsageError(
                f"{self.path} holds an interrupted run; add --resume to go on with it, or choose "
                "another -o folder."
            )
        left_behind = {self.data.name, self.record.name, self.lock.name}
        if self.path.exists() and (
            not self.path.is_dir()
            or any(f.name not in left_behind and f.suffix != ".part" for f in self.path.iterdir())
        ):
            raise UsageError(f"{self.path} is not an empty folder; choose another -o folder.")

    def read_settings(self) -> Settings:
        """Read the settings of the run.

        Raises:
            UsageError: there is no run here.
            CheckpointError: the file cannot be read, or is not TOML.
            SettingsError: the file was changed and breaks a rule.
        """
        text = _read(self.settings)
        try:
            return validate(tomllib.loads(text), source=str(self.settings))
        except tomllib.TOMLDecodeError as error:
            raise CheckpointError(f"{self.settings} is not readable TOML: {error}.") from error

    def write_settings(self, settings: Settings) -> None:
        """Write the complete settings; the errors are those of `storage.write_text`."""
        write_text(self.settings, tomli_w.dumps(to_plain(settings)))

    def read_record(self) -> dict[str, Any]:
        """Read the record of the run.

        Raises:
            UsageError: there is no run here.
            CheckpointError: the file cannot be read, or is not JSON.
        """
        text = _read(self.record)
        try:
            record: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError as error:
            raise CheckpointError(f"{self.record} is not readable JSON: {error}.") from error
        return record

    def source_of(self, data: Data) -> DataSource:
        """Return a category as the user named it, with the folders that the run was trained with.

        They are used if the root is the same and no others are named.

        Raises:
            CheckpointError: `run.json` cannot be read.
        """
        source = DataSource.of(data)
        if not self.record.is_file():
            return source
        return source.with_folders_of(self.read_record().get("data", {}).get("source"))

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write the record; the errors are those of `storage.write_text`."""
        write_text(self.record, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def write_losses(self, losses: Mapping[str, Sequence[float]]) -> None:
        """Write the table of losses; the errors are those of `storage.write_text`."""
        rows = (
            (stage, step, loss)
            for stage, values in losses.items()
            for step, loss in enumerate(values, start=1)
        )
        write_text(self.losses, csv_text(("stage", "step", "loss"), rows))


def source_for(model: Path, data: Data) -> DataSource:
    """Return a category with the folders that the run of a model was trained with, see `source_of`."""
    return RunFolder(model if model.is_dir() else model.parent).source_of(data)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist: {path.parent} holds no run. Give the -o folder of an earlier "
            "'rcae train', or train without --resume."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}).") from error
