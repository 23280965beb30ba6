"""Comparison methods, trained through anomalib: `pip install 'rcae[peers]'`.

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
from rcae.data.images import read_image, resize
from rcae.study import lite0
from rcae.study.anomalib_import import anomalib_models
from rcae.study.map_predictor import MapPredictor
from rcae.study.request import CellRequest
from rcae.training.training_data import GoodParts, open_good_parts

SIDE_PX = 256
"""Side of the square that images are squashed to, as anomalib does by default."""

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
    build: Callable[[Any, GoodParts], Any]
    """Function from the module `anomalib.models` and the good images to an untrained model."""
    batch_size: int
    epochs: int
    """Number of epochs that anomalib recommends; a time budget may end training earlier."""


def _draem(models: Any, parts: GoodParts) -> Any:
    """Build DRAEM with anomalib's own noise for textures; `dtd_dir` only has to be a folder."""
    from anomalib.data.utils.generators.perlin import PerlinAnomalyGenerator

    model = models.Draem(dtd_dir=parts.training.paths[0].parent)
    model.augmenter = PerlinAnomalyGenerator(blend_factor=(0.1, 1.0))
    return model


def _on_lite0(model: Callable[..., Any], **options: Any) -> Any:
    return lite0.load_weights(
        model(backbone=lite0.NAME, layers=list(LITE0_LAYERS), pre_trained=False, **options)
    )


def _patchcore(models: Any, parts: GoodParts) -> Any:
    positions = len(parts.training) * (SIDE_PX // 8) ** 2
    share = CORESET_SIZE / max(positions, CORESET_SIZE)
    return _on_lite0(models.Patchcore, coreset_sampling_ratio=share)


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
        lambda models, _: _on_lite0(models.Padim, n_features=100),
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
        lambda models, _: models.Ganomaly(batch_size=32),
        batch_size=32,
        epochs=100,
    ),
}


@torch.inference_mode()
def peer_maps(model: Any, images: Sequence[Array]) -> list[Array]:
    """Return the maps of a trained anomalib model, [256, 256] each; constant where it gives only a score."""
    device = next(model.parameters()).device
    drawn = []
    for pixels in images:
        seen = model.model(model.pre_processor(_tensor(pixels)[None].to(device)))
        if seen.anomaly_map is None:
            drawn.append(np.full((SIDE_PX, SIDE_PX), float(seen.pred_score), dtype=np.float32))
        else:
            drawn.append(np.asarray(seen.anomaly_map.cpu().float().reshape(SIDE_PX, SIDE_PX)))
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
    model = peer.build(models, parts)
    limit = {} if cell.budget_s is None else {"max_time": {"seconds": int(cell.budget_s)}}
    engine = Engine(default_root_dir=folder, max_epochs=peer.epochs, **limit)
    engine.fit(model, train_dataloaders=_loader(parts, peer))
    predictor = MapPredictor(partial(peer_maps, model.eval()))
    predictor.calibrate(parts.calibration_by_hash, settings.calibration.false_alarm_rate)
    return predictor


def _loader(parts: GoodParts, peer: Peer) -> Any:
    """Load good images with our own decoder, squashed, as anomalib's batches.

    The incomplete last batch is dropped if another epoch follows, because GANomaly needs full batches.
    """
    from anomalib.data import ImageBatch

    images = [_tensor(read_image(path)) for path in shown(parts.training.paths, "reading")]
    return torch.utils.data.DataLoader(
        images,  # type: ignore[arg-type]
        batch_size=min(peer.batch_size, len(images)),
        shuffle=True,
        drop_last=peer.epochs > 1,
        collate_fn=lambda batch: ImageBatch(image=torch.stack(batch)),
    )


def _tensor(pixels: Array) -> torch.Tensor:
    """Convert an image to a tensor [3, 256, 256], 0..1."""
    return torch.from_numpy(resize(pixels, SIDE_PX, SIDE_PX)).permute(2, 0, 1).contiguous()
