"""Who takes part in a benchmark: every model by its name, and how it is trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rcae.detector import Detector
from rcae.errors import UsageError
from rcae.evaluation import Inspector
from rcae.settings import PRESETS
from rcae.training.request import Request
from rcae.training.trainer import train


@dataclass(frozen=True)
class Cell:
    """One entry of the benchmark's table: a model on a category with a seed."""

    data: Path
    model: str
    seed: int
    budget_s: float | None
    """Time for training; None leaves a model its own recommended length."""
    values: tuple[str, ...] = ()
    """Changes to the settings of a model of ours."""


@dataclass(frozen=True)
class Contender:
    """A model that a benchmark can train and question."""

    name: str
    note: str
    """What a reader of the table must know: where recommended settings could not be used."""
    train: Callable[[Cell, Path], Inspector]
    """Train on the good images of the cell's data, keep files in the folder, return the result."""


def contender(name: str) -> Contender:
    """The contender of that name.

    Raises:
        UsageError: there is none; the message lists all.
    """
    known = _ours() | _peers()
    if name not in known:
        raise UsageError(f"model '{name}' is not known; choose from {', '.join(known)}.")
    return known[name]


def _ours() -> dict[str, Contender]:
    presets = {
        name: Contender(name, f"RcAE, preset {name}", _rcae(name)) for name in PRESETS
    }
    plain = Contender(
        "autoencoder",
        "plain convolutional autoencoder, one pass, as many parameters as RcAE in preset quick; "
        "map: mean absolute error",
        _rcae("quick", PLAIN_AUTOENCODER),
    )
    return {**presets, plain.name: plain}


PLAIN_AUTOENCODER = (
    "model.form=plain",
    "model.detail_network=false",
    "model.detection_network=false",
)


def _rcae(preset: str, values: Sequence[str] = ()) -> Callable[[Cell, Path], Inspector]:
    def run(cell: Cell, folder: Path) -> Inspector:
        request = Request(
            preset, cell.budget_s, cell.seed, settings_file=None, values=(*values, *cell.values)
        )
        interrupted = (folder / "run" / "settings.toml").exists()
        train(cell.data, folder / "run", request, resume=interrupted)
        return Detector.load(folder / "run")

    return run
