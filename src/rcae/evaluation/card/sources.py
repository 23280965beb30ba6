"""What a model card is made from, read out of a run folder and found to belong together."""

from dataclasses import dataclass

from rcae.base.errors import CheckpointError
from rcae.detector.run.checkpoint import load_model, weights_sha256
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.card.past_evaluation import PastEvaluation, checked, read_evaluation
from rcae.evaluation.result import Part


class RunData(Part):
    """The good images of the run."""

    category: str
    layout: str
    training_images: int
    calibration_images: int
    sha256: str
    licence: str = ""


class Machine(Part):
    """What the run was trained on."""

    system: str
    cores: int | None
    processes: int
    device: str


class Timings(Part):
    """How many seconds the run took."""

    training: float
    finishing: float


class RunRecord(Part):
    """Out of `run.json`."""

    data: RunData
    machine: Machine
    timings_s: Timings
    versions: dict[str, str]


@dataclass(frozen=True)
class Sources:
    """All that a card is made from."""

    header: ModelHeader
    weights_sha256: str
    record: RunRecord
    evaluation: PastEvaluation | None


def read_sources(folder: RunFolder) -> Sources:
    """Read a finished run, and its evaluation if there is one.

    Raises:
        UsageError: there is no finished run in the folder.
        CheckpointError: a file is damaged, or is of another model than `model.safetensors`.
    """
    model = load_model(folder.model)
    record = checked(RunRecord, folder.read_record(), folder.record)
    if record.data.sha256 != model.header.provenance.get("data_sha256"):
        raise CheckpointError(
            f"{folder.record} tells of other images than {folder.model} was trained on; copy both "
            "again from one run."
        )
    evaluation = read_evaluation(folder.evaluation)
    threshold = model.header.calibration.threshold
    if evaluation is not None and evaluation.metrics.threshold != threshold:
        raise CheckpointError(
            f"{folder.evaluation} was measured at the threshold {evaluation.metrics.threshold}, but "
            f"that of {folder.model} is {threshold}: it is of another model. Run 'rcae evaluate' "
            "again, or remove that folder."
        )
    digest = weights_sha256(model.system.state_dict())
    return Sources(model.header, digest, record, evaluation)
