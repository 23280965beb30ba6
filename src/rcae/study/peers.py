"""Comparison methods, trained through anomalib, which the extra `peers` installs.

They get the same images, held-out images, masks, metrics and score rule as ours.
Nothing is downloaded. The note names the replacement if a recommended setting needs a download.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rcae.base.arrays import Array
from rcae.base.errors import UsageError
from rcae.base.progress import shown
from rcae.base.settings import load_settings
from rcae.data.images import read_image
from rcae.data.usual_image import UsualImage
from rcae.study import lite0
from rcae.study.anomalib_import import anomalib_models
from rcae.study.map_predictor import MapPredictor
from rcae.study.peer_view import PeerView, view_of
from rcae.study.request import CellRequest
from rcae.training.training_data import open_good_parts

LITE0_LAYERS = (2, 3)
"""Stages of timm's feature extractor: 1/8 and 1/16 of the resolution, as in PatchCore."""
CORESET_SIZE = 1000
"""Patches in PatchCore's coreset; each selection scans all patches once."""

INSTEAD = (
    "features of EfficientNet-Lite0, whose ImageNet weights come in a package, instead of the "
    "recommended backbone, whose weights need a download"
)


@dataclass(frozen=True)
class Peer:
    """Construction and training of one anomalib model."""

    note: str
    build: Callable[[Any, "GoodImages"], Any]
    """Function from the module `anomalib.models` and the good images to an untrained model."""
    batch_size: int
    epochs: int
    """Number of epochs that anomalib recommends; a time budget may end training earlier."""


@dataclass(frozen=True)
class GoodImages:
    """The images to train on, and how the peer sees them."""

    paths: Sequence[Path]
    view: PeerView
    usual: UsualImage | None

    def seen_by(self, model: Any) -> dict[str, Any]:
        """Return the option of a model's class that makes it take images of the view's size."""
        return {"pre_processor": model.configure_pre_processor(self.view.size_px)}


def _draem(models: Any, images: GoodImages) -> Any:
    """Build DRAEM with anomalib's own noise for textures; `dtd_dir` only has to be a folder."""
    from anomalib.data.utils.generators.perlin import PerlinAnomalyGenerator

    model = models.Draem(dtd_dir=images.paths[0].parent, **images.seen_by(models.Draem))
    model.augmenter = PerlinAnomalyGenerator(blend_factor=(0.1, 1.0))
    return model


def _on_lite0(model: Any, images: GoodImages, **options: Any) -> Any:
    options |= images.seen_by(model)
    return lite0.load_weights(
        model(backbone=lite0.NAME, layers=list(LITE0_LAYERS), pre_trained=False, **options)
    )


def _patchcore(models: Any, images: GoodImages) -> Any:
    height, width = images.view.size_px
    positions = len(images.paths) * (height // 8) * (width // 8)
    share = CORESET_SIZE / max(positions, CORESET_SIZE)
    return _on_lite0(models.Patchcore, images, coreset_sampling_ratio=share)


PEERS = {
    "patchcore": Peer(
        f"PatchCore of anomalib; {INSTEAD}; a coreset of {CORESET_SIZE} patches instead of 10 % of "
        "all, whose greedy choice takes hours on a CPU",
        _patchcore,
        batch_size=32,
        epochs=1,
    ),
    "padim": Peer(
        f"PaDiM of anomalib; {INSTEAD}",
        lambda models, images: _on_lite0(models.Padim, images, n_features=100),
        batch_size=32,
        epochs=1,
    ),
    "draem": Peer(
        "DRAEM of anomalib; its anomaly textures are anomalib's noise instead of DTD, which needs a "
        "download",
        _draem,
        batch_size=8,
        epochs=700,
    ),
    "ganomaly": Peer(
        "GANomaly of anomalib; it draws no map, so its pixel figures are those of a constant map",
        lambda models, images: models.Ganomaly(batch_size=32, **images.seen_by(models.Ganomaly)),
        batch_size=32,
        epochs=100,
    ),
}


@torch.inference_mode()
def peer_maps(model: Any, view: PeerView, images: Sequence[Array]) -> list[Array]:
    """Return the maps of a trained anomalib model, float32 [row, column] each, of the whole images.

    A map is constant where the model gives only a score.
    """
    device = next(model.parameters()).device
    drawn = []
    for pixels in images:
        canvas, on_image = view.see(pixels)
        seen = model.model(model.pre_processor(_tensor(canvas)[None].to(device)))
        if seen.anomaly_map is None:
            drawn.append(np.full(view.size_px, float(seen.pred_score), dtype=np.float32))
        else:
            drawn.append(on_image(np.asarray(seen.anomaly_map.cpu().float().reshape(view.size_px))))
    return drawn


def train_peer(peer: Peer, cell: CellRequest, folder: Path) -> MapPredictor:
    """Train one of anomalib's models on the same good images as ours.

    Raises:
        MissingExtraError: anomalib is not installed.
        UsageError: the cell asks for settings of our models.
        DataError, ImageError: the errors of our training.
    """
    if cell.values:
        raise UsageError(
            f"settings like {cell.values[0]} are for models of ours alone; leave them out."
        )
    models = anomalib_models()
    from anomalib.engine import Engine

    logging.getLogger("anomalib").setLevel(logging.ERROR)
    torch.manual_seed(cell.seed)
    settings = load_settings("quick", seed=cell.seed)
    parts = open_good_parts(Path(cell.data), settings)
    images = GoodImages(parts.training.paths, view_of(parts, cell.view), parts.working_view.usual)
    model = peer.build(models, images)
    limit = {} if cell.budget_s is None else {"max_time": {"seconds": int(cell.budget_s)}}
    engine = Engine(default_root_dir=folder, max_epochs=peer.epochs, **limit)
    engine.fit(model, train_dataloaders=_loader(images, peer))
    predictor = MapPredictor(
        partial(peer_maps, model.eval(), images.view), parts.working_view.usual
    )
    predictor.calibrate(parts.calibration_by_hash, settings.calibration.false_alarm_rate)
    return predictor


def _loader(images: GoodImages, peer: Peer) -> Any:
    """Load good images with our own decoder, in the peer's view, as anomalib's batches.

    The incomplete last batch is dropped if another epoch follows, because GANomaly needs full batches.
    """
    from anomalib.data import ImageBatch

    seen = [
        _tensor(images.view.see(read_image(path, images.usual))[0])
        for path in shown(images.paths, "reading")
    ]
    return torch.utils.data.DataLoader(
        seen,  # type: ignore[arg-type]
        batch_size=min(peer.batch_size, len(seen)),
        shuffle=True,
        drop_last=peer.epochs > 1,
        collate_fn=lambda batch: ImageBatch(image=torch.stack(batch)),
    )


def _tensor(canvas: Array) -> torch.Tensor:
    """Convert what a peer sees to a tensor [3, height, width], 0..1."""
    return torch.from_numpy(np.ascontiguousarray(canvas)).permute(2, 0, 1).contiguous()
