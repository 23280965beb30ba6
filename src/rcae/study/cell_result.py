"""What came out of one cell of the benchmark's table: what was asked, then the evaluation."""

from rcae.evaluation.result import EvaluationResult, Part


class _Asked(Part):
    label: str
    data: str
    model: str
    seed: int
    budget_s: float | None
    values: tuple[str, ...]
    data_sha256: str
    """Up to here as in `CellRequest`."""
    note: str
    """What a reader must know of the model."""
    training_s: float
    """Of all sittings."""


class CellResult(EvaluationResult, _Asked):
    """All figures of one cell; the fields are the keys of result.json, in the same order.

    Raises:
        ValidationError: as `EvaluationResult`.
    """

    light: str | None = None
    """What a reader must know of the category's light; cells of earlier versions did not look."""
    threads: int
    versions: dict[str, str]
    """Of the packages, by name."""
