"""Contenders of a benchmark: every model by its name, and its training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rcae.base.plug_ins import Table
from rcae.base.settings import PRESETS, load_settings
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.evaluate import Predictor
from rcae.study.memory import NOTE, fit_memory
from rcae.study.peers import PEERS, train_peer
from rcae.study.request import CellRequest, View
from rcae.training.request import Request
from rcae.training.trainer import train

Train = Callable[[CellRequest, Path], Predictor]


@dataclass(frozen=True)
class Contender:
    """A model that a benchmark can train and evaluate."""

    note: str
    """Note for readers of the table, such as recommended settings that could not be used."""
    train: Train
    """Function that trains on the good images, keeps files in the folder, and returns the predictor."""


def benchmark_request(name: str, budget_s: float | None, view: View) -> CellRequest:
    """Return the request for a model as it is recommended; data and seed are filled in later.

    Args:
        name: the contender.
        budget_s: training time in seconds, or None.
        view: view of a model of anomalib, which its label names.
    """
    if name in PEERS and view == "ours":
        return CellRequest(f"{name}, our view", "", name, 0, budget_s, view=view)
    return CellRequest(name, "", name, 0, budget_s)


def plain_autoencoder(preset: str, values: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the settings that turn a preset, changed by single values, into the paper's baseline.

    The baseline has as many parameters as the preset's RcAE.
    """
    channels = load_settings(preset, values=values).model.carried_channels
    return (
        "model.form=plain",
        f"model.reconstruction_widths={[channels * times for times in (1, 2, 3, 4, 4)]}",
        "model.detail_network=false",
        "model.detection_network=false",
        "model.patch_memory=false",
        "model.recursion_distance=false",
    )


def _rcae(preset: str, values: Sequence[str] = ()) -> Train:
    def run(cell: CellRequest, folder: Path) -> Predictor:
        request = Request(
            preset,
            cell.budget_s,
            cell.seed,
            values=(*values, *cell.values),
        )
        train(Path(cell.data), folder, request, resume=RunFolder(folder).settings.exists())
        return Detector.load(folder)

    return run


CONTENDERS: Table[Contender] = Table(
    "model",
    "rcae.contenders",
    Contender,
    {
        **{preset: Contender(f"RcAE, preset {preset}", _rcae(preset)) for preset in PRESETS},
        "autoencoder": Contender(
            "plain convolutional autoencoder, one pass, as many parameters as RcAE in preset quick; its "
            "map is the mean absolute error",
            _rcae("quick", plain_autoencoder("quick")),
        ),
        "memory": Contender(NOTE, fit_memory),
        **{name: Contender(peer.note, partial(train_peer, peer)) for name, peer in PEERS.items()},
    },
)
"""All contenders by their names."""
