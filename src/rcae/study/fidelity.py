"""Fidelity of DPN: similarity of its reconstructions to good images, and contrast of defects."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from rcae.base.arrays import Array
from rcae.base.extras import require
from rcae.data.images import resize
from rcae.data.layouts.category import open_category
from rcae.data.layouts.sample import Sample
from rcae.detector.detector import Detector
from rcae.study import summary
from rcae.study.cell import CellFolder

MOST_IMAGES = 40
"""Largest number of images of each kind, evenly spaced over the test images."""

PAPER_GAIN = "paper: about +0.61 dB and +0.059"


def fidelity_table(cells: Sequence[Path]) -> str:
    """Return the last step of every cell's model without and with DPN, as Markdown.

    PSNR in dB and SSIM are measured on good test images.
    The contrast is measured on defective images: mean absolute error within the mask divided by that
    elsewhere. It shows how far a defect stands out before CRD.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    rows = []
    for path in cells:
        measured = _measure(CellFolder(path))
        for label, values in measured.items():
            rows.append([path.parents[1].name, path.name, label, *(f"{v:.3f}" for v in values)])
    head = ["category", "seed", "last step", "PSNR dB", "SSIM", "defect / elsewhere"]
    return f"What does DPN restore? ({PAPER_GAIN})\n\n{summary.markdown_table(head, rows)}\n"


def _measure(folder: CellFolder) -> dict[str, tuple[float, float, float]]:
    """Measure PSNR, SSIM and contrast of the last I_R and of the last I_D."""
    detector = Detector.load(folder.training)
    test = open_category(Path(folder.read_request().data)).test
    good = _some([sample for sample in test if not sample.is_defective])
    masked = _some([sample for sample in test if sample.mask_paths])
    likeness: dict[str, list[tuple[float, float]]] = {}
    contrast: dict[str, list[float]] = {}
    for sample in good:
        image, made = _last_step(detector, sample)
        for label, reconstruction in made.items():
            likeness.setdefault(label, []).append(_likeness(image, reconstruction))
    for sample in masked:
        image, made = _last_step(detector, sample)
        for label, reconstruction in made.items():
            contrast.setdefault(label, []).append(_contrast(image, reconstruction, sample))
    return {
        label: (
            mean(psnr for psnr, _ in values),
            mean(ssim for _, ssim in values),
            mean(contrast[label]) if label in contrast else math.nan,
        )
        for label, values in likeness.items()
    }


def _some(samples: list[Sample]) -> list[Sample]:
    return samples[:: max(1, len(samples) // MOST_IMAGES)][:MOST_IMAGES]


def _last_step(detector: Detector, sample: Sample) -> tuple[Array, dict[str, Array]]:
    seen = detector.explain(sample.path)
    made = {"I_R": seen.reconstructions[max(seen.reconstructions)]}
    if seen.restored is not None:
        made["I_D"] = seen.restored
    return seen.image, made


def _likeness(image: Array, reconstruction: Array) -> tuple[float, float]:
    """Return PSNR in dB and SSIM; pixels outside a part's frame count as exact."""
    require("skimage", purpose="a table of PSNR and SSIM")
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    psnr: float = peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
        image, reconstruction, data_range=1.0
    )
    ssim: float = structural_similarity(  # type: ignore[no-untyped-call]
        image, reconstruction, data_range=1.0, channel_axis=2
    )
    return psnr, ssim


def _contrast(image: Array, reconstruction: Array, sample: Sample) -> float:
    """Return the mean absolute error within the mask, divided by that elsewhere."""
    mask = sample.mask().astype(np.float32)
    inside = resize(mask, *image.shape[:2])
    error = np.abs(image - reconstruction).mean(axis=2)
    outside = 1.0 - inside
    return float((error * inside).sum() / inside.sum() / ((error * outside).sum() / outside.sum()))
