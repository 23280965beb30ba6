"""Request of one cell of the benchmark's table."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

View = Literal["theirs", "ours"]
"""Squashed, as anomalib's models see images by default, or our working view."""


@dataclass(frozen=True)
class CellRequest:
    """A model, a category and a seed: everything that determines the result, without settings files."""

    label: str
    """Name in the tables."""
    data: str
    model: str
    """Name of the contender."""
    seed: int
    budget_s: float | None
    """Training time in seconds; None takes the recommended length of the model."""
    values: tuple[str, ...] = ()
    """Changes to the settings of one of our models."""
    view: View = "theirs"
    """View of a model of anomalib; ours have our view in any case."""
    data_sha256: str = ""
    """SHA-256 of the category's images and masks, from `hash_data`."""

    @property
    def options(self) -> dict[str, Any]:
        """All options by name, each changed setting by its own name; None values are left out."""
        values = {key: value for key, _, value in (text.partition("=") for text in self.values)}
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        del plain["values"]
        return values | plain
