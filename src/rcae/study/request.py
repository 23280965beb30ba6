"""What one cell of the benchmark's table is asked to be."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CellRequest:
    """A model, a category and a seed: all that the cell's result depends on, without files of settings."""

    label: str
    """What tables call it."""
    data: str
    model: str
    """Name of the contender."""
    seed: int
    budget_s: float | None
    """Time for training; None leaves a model its own recommended length."""
    values: tuple[str, ...] = ()
    """Changes to the settings of a model of ours."""
    data_sha256: str = ""
    """Of the category's images and masks, as `hash_data` has it."""

    @property
    def options(self) -> dict[str, Any]:
        """All of it by name, every changed setting by its own; what is not given is left out."""
        values = {key: value for key, _, value in (text.partition("=") for text in self.values)}
        plain = {name: value for name, value in asdict(self).items() if value is not None}
        del plain["values"]
        return values | plain
