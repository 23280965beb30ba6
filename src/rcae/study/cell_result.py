"""The result of one cell of the benchmark's table: its request, then the evaluation."""

from rcae.evaluation.result import EvaluationResult, Part


class _Asked(Part):
    label: str
    data: str
    model: str
    seed: int
    budget_s: float | None
    values: tuple[str, ...]
    data_sha256: str
    """This field and those above are those of `CellRequest`."""
    note: str
    """A remark on the model, for the reader of a table."""
    training_s: float
    """The seconds of all sittings, rounded to 0.1."""


class CellResult(EvaluationResult, _Asked):
    """All figures of one cell; the fields are the keys of result.json, in the same order.

    Raises:
        ValidationError: an error of `EvaluationResult`.
    """

    give_aways: dict[str, float] | None = None
    """The image AUROC of each property alone, see `GiveAways`; cells of earlier versions lack the key."""
    threads: int
    versions: dict[str, str]
    """The versions of the packages, by name."""
