"""Pictures of a finished run: the losses, and the recursion on unseen good and painted images."""

from collections.abc import Mapping, Sequence

import numpy as np

from rcae.base.arrays import Array
from rcae.base.storage import write_bytes
from rcae.data.view.working_view import Seen
from rcae.detector.run.checkpoint import Model
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.runners.torch_maps import explain
from rcae.drawing.pictures import HeatScale, png_bytes, recursion_strip
from rcae.training.painting.pseudo_anomalies import paint_anomalies
from rcae.training.training_data import GoodParts

SAMPLE_COUNT = 3
"""Number of pictures of each kind."""


def write_pictures(
    folder: RunFolder, model: Model, parts: GoodParts, losses: Mapping[str, Sequence[float]]
) -> None:
    """Write `losses.png` and `samples/`: held-out images as they are, and with pseudo anomalies.

    Args:
        folder: the run.
        model: the finished model, calibrated.
        parts: the calibration images are drawn.
        losses: the loss of every step of each stage, by its name.

    Raises:
        ImageError: an image cannot be decoded.
        StorageError: the disk refused.
    """
    # Seconds to import, which only one of several processes needs.
    from rcae.drawing.charts import loss_chart

    write_bytes(folder.loss_chart, loss_chart(losses))
    random = np.random.default_rng([model.header.settings.seed, 4])
    view = model.header.working_view
    for number, path in enumerate(parts.calibration[:SAMPLE_COUNT], start=1):
        good = view.of(view.camera_image(path))
        painted, _ = paint_anomalies(good, good, random)
        _write_strip(folder, model, good, f"good-{number}")
        _write_strip(folder, model, painted, f"painted-{number}")


def _write_strip(folder: RunFolder, model: Model, image: Array, name: str) -> None:
    seen, calibration = explain(model.system, Seen(image, image)), model.header.calibration
    strip = recursion_strip(
        seen.image,
        seen.reconstructions,
        seen.restored,
        seen.anomaly_map,
        HeatScale(low=calibration.typical_value, threshold=calibration.threshold),
    )
    write_bytes(folder.samples / f"{name}.png", png_bytes(strip))
