"""Other methods, through anomalib, the library their users use: `pip install 'rcae[peers]'`.

They see the same images, held-out images, masks, metrics and score rule as ours. Nothing is
downloaded: where a recommended setting needs a download, the note says what stands in for it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rcae.benchmark.anomalib_import import anomalib_engine, anomalib_models, lite0_backbone
from rcae.benchmark.cell import CellRequest
from rcae.calibration import Calibration, calibrate
from rcae.data.images import read_image, resize
from rcae.detector import Detection
from rcae.progress import shown
from rcae.settings import load_settings
from rcae.training.good_parts import open_good_parts

Array = NDArray[np.float32]
SIDE_PX = 256
"""Squashed to a square, as anomalib does by default."""


@dataclass(frozen=True)
class Peer:
    """How one of anomalib's models is built and trained."""

    note: str
    build: Callable[[Any, Sequence[Path]], Any]
    """From anomalib's models and the good training images to a Lightning module."""
    batch_size: int
    epochs: int
    """anomalib's recommendation; a time budget may end training before."""


def _draem(models: Any, images: Sequence[Path]) -> Any:
    return models.Draem(dtd_dir=images[0].parent)


PEERS = {
    "patchcore": Peer(
        "PatchCore of anomalib, features of EfficientNet-Lite0 (ImageNet weights from a package) "
        "instead of Wide ResNet-50, whose weights need a download; coreset of 1 % instead of 10 %, "
        "which takes hours on a CPU",
        lambda models, _: models.Patchcore(
            backbone=lite0_backbone(), layers=LITE0_LAYERS, coreset_sampling_ratio=0.01
        ),
        batch_size=32,
        epochs=1,
    ),
    "padim": Peer(
        "PaDiM of anomalib, features of EfficientNet-Lite0 (ImageNet weights from a package) "
        "instead of ResNet-18, whose weights need a download",
        lambda models, _: models.Padim(backbone=lite0_backbone(), layers=LITE0_LAYERS, n_features=100),
        batch_size=32,
        epochs=1,
    ),
    "draem": Peer(
        "DRAEM of anomalib; its anomaly textures are the category's own good images instead of the "
        "DTD data set, which needs a download",
        _draem,
        batch_size=8,
        epochs=700,
    ),
    "ganomaly": Peer(
        "GANomaly of anomalib; it draws no map: pixel figures are those of a constant map",
        lambda models, _: models.Ganomaly(batch_size=32),
        batch_size=32,
        epochs=100,
    ),
}
LITE0_LAYERS = ("blocks.2", "blocks.4")
