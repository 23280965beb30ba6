"""Result of one cell of the benchmark's table: the request first, then the evaluation."""

from rcae.evaluation.result import EvaluationResult, Part
from rcae.study.request import View


class _Asked(Part):
    label: str
    data: str
    model: str
    seed: int
    budget_s: float | None
    values: tuple[str, ...]
    view: View = "theirs"
    data_sha256: str
    """SHA-256 of the data; this field and all before it are those of `CellRequest`."""
    note: str
    """Note on the model for the reader of the table."""
    training_s: float
    """Duration of all training sessions together."""


class CellResult(EvaluationResult, _Asked):
    """All figures of one cell; the fields are the keys of result.json, in the same order.

    Raises:
        ValidationError: the errors of `EvaluationResult`.
    """

    give_aways: dict[str, float] | None = None
    """The image AUROC of each property alone, see `GiveAways`; cells of earlier versions lack the key."""
    threads: int
    versions: dict[str, str]
    """Version of each package, by its name."""
