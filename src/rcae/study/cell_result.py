"""Result of one cell of the benchmark's table: the request, then the evaluation."""

from rcae.evaluation.result import EvaluationResult, Part


class _Asked(Part):
    label: str
    data: str
    model: str
    seed: int
    budget_s: float | None
    values: tuple[str, ...]
    data_sha256: str
    """Hash of the category; this and all fields above are those of `CellRequest`."""
    note: str
    """Remark on the model, for readers."""
    training_s: float
    """Sum over all training sessions."""


class CellResult(EvaluationResult, _Asked):
    """All figures of one cell; the fields are the keys of result.json, in the same order.

    Raises:
        ValidationError: the errors of `EvaluationResult`.
    """

    give_aways: dict[str, float] | None = None
    """Image AUROC of each property alone, see `GiveAways.strengths`; cells of earlier versions lack it."""
    threads: int
    versions: dict[str, str]
    """Versions of the packages, by name."""
