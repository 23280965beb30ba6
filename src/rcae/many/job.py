"""One model of many: what is asked for, the files of its job, and the facts of the finished model."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rcae.base.errors import UsageError
from rcae.base.storage import write_text
from rcae.data.layouts.category import open_category
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.evaluate import evaluate_model
from rcae.evaluation.evaluate_report import write_evaluation


class Outcome(BaseModel):
    """Facts of one model; without the model, the reason. The fields are the columns of models.csv."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    category: str
    seed: int
    state: str = "trained"
    """State: "trained", "failed" or "waiting"."""
    threshold: float | None = None
    false_alarm_rate_promised: float | None = None
    training_images: int | None = None
    image_auroc: float | None = None
    pixel_auroc: float | None = None
    aupro: float | None = None
    detection_rate: float | None = None
    false_alarm_rate_seen: float | None = None
    run: str = ""
    """Run folder."""
    reason: str = ""
    """Reason why there is no model."""


MEASURED = ("image_auroc", "pixel_auroc", "aupro", "detection_rate", "false_alarm_rate_seen")
"""Fields that an evaluation gives, if there are test images."""


@dataclass(frozen=True)
class Job:
    """Everything that determines one model, without a time budget: its length must not depend on others."""

    data: str
    seed: int
    preset: str | None
    settings_file: str | None
    values: tuple[str, ...]
    run: str

    @property
    def category(self) -> str:
        """Name of the category."""
        return Path(self.data).name


@dataclass(frozen=True)
class JobFolder:
    """Files of one job."""

    path: Path

    @property
    def request(self) -> Path:
        """The job itself."""
        return self.path / "job.json"

    @property
    def log(self) -> Path:
        """All that the process printed."""
        return self.path / "log.txt"

    @property
    def outcome(self) -> Path:
        """Facts of the finished model; it is written last, so that its presence means a finished job."""
        return self.path / "outcome.json"

    def read(self) -> Job:
        """Read the job.

        Raises:
            UsageError: there is none, or another version of rcae wrote it.
        """
        try:
            plain = json.loads(self.request.read_text(encoding="utf-8"))
            return Job(**{**plain, "values": tuple(plain["values"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{self.request} is no job of this version ({error}); choose another -o folder."
            ) from error

    def write(self, job: Job) -> None:
        """Write the job, or refuse to replace another one.

        Raises:
            UsageError: the folder holds another job.
            StorageError: the disk refused.
        """
        if self.request.exists() and (was := self.read()) != job:
            raise UsageError(
                f"{self.path} was begun with other options ({was}, now {job}); give the same, or choose "
                "another -o folder."
            )
        write_text(self.request, json.dumps(asdict(job), indent=2) + "\n")

    def read_outcome(self) -> Outcome | None:
        """Return the facts of the finished model; None before.

        Raises:
            UsageError: the file is damaged, or of another version.
        """
        try:
            return Outcome.model_validate_json(self.outcome.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise UsageError(f"{self.outcome} is damaged; remove it and run again.") from error


def run_job(folder: JobFolder) -> None:
    """Train and evaluate the model of a job, from where an earlier process stopped.

    Raises:
        RcaeError: the errors of training and evaluation.
    """
    from rcae.training.request import Request
    from rcae.training.trainer import train

    job = folder.read()
    run, data = RunFolder(Path(job.run)), Path(job.data)
    file = None if job.settings_file is None else Path(job.settings_file)
    request = Request(job.preset, None, job.seed, file, job.values)
    train(data, run.path, request, resume=run.settings.exists())
    detector = Detector.load(run.path)
    measured = {}
    if open_category(data).test:
        evaluation = evaluate_model(run.path, detector, data)
        write_evaluation(run.evaluation, evaluation, detector)
        measured = {name: getattr(evaluation.metrics, name) for name in MEASURED}
    outcome = Outcome(
        category=job.category,
        seed=job.seed,
        threshold=detector.calibration.threshold,
        false_alarm_rate_promised=detector.calibration.false_alarm_rate,
        training_images=detector.header.provenance["training_images"],
        run=job.run,
        **measured,
    )
    write_text(folder.outcome, outcome.model_dump_json(indent=2) + "\n")
