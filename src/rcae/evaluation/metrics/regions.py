"""Metrics of anomaly maps on defective pixels and on whole defect regions (AUPRO), exact.

The maps are read twice, one at a time. The first pass collects the scores of defective pixels. The second
pass counts the good pixels between those scores. Memory grows with the defective pixels alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcae.base.arrays import Mask
from rcae.base.errors import DataError, UsageError
from rcae.data.regions import connected_regions
from rcae.evaluation.metrics.ranking import (
    Floats,
    ThresholdCounter,
    ThresholdTable,
    auroc,
    average_precision,
    curve_of,
    f1_max,
    require_rankable,
)

PixelMaps = Callable[[], Iterable[tuple[Floats, Mask]]]
"""Function that gives each image's anomaly map and mask (True = defect), both [height, width].

It is called once per pass, and gives the same maps and masks in both. Maps are float32 or float64, finite
and unbounded. Sizes may differ from image to image, the dtype may not.
"""


@dataclass(frozen=True)
class PixelTable:
    """Counts of all pixels of all images, at every score of a defective pixel."""

    pixels: ThresholdTable
    region_overlap: NDArray[np.float64]
    """Mean over all regions of their share at or above the threshold: [thresholds], 0..1."""


def rank_pixels(pixel_maps: PixelMaps) -> PixelTable:
    """Count good and defective pixels, and region overlaps, at every threshold in two passes.

    Every pixel outside a mask is a negative, those of good images included. A defective image
    with an empty mask has no region and only negatives.

    Raises:
        DataError: no map is given, a map or mask breaks the rules of `PixelMaps`, or the second
            pass differs from the first.
    """
    positives, weights, pixel_count = _collect_positives(pixel_maps())
    counter = ThresholdCounter(positives)
    for anomaly_map, mask in pixel_maps():
        counter.add_negatives(anomaly_map[~mask])
        del anomaly_map, mask  # let go before the next is made
    table = counter.table()
    if table.positive_count + table.negative_count != pixel_count:
        raise DataError(
            f"The second pass over the maps gave {table.negative_count} good pixels, the first "
            f"{pixel_count - table.positive_count}; both must give the same maps. Pass a function "
            "that starts a new iteration at each call."
        )
    gained = np.bincount(np.searchsorted(counter.ascending, positives), weights)
    overlap = np.cumsum(gained[::-1])
    # The last sum is the number of regions, except for rounding. Division by it ends at exactly 1.
    return PixelTable(table, overlap / overlap[-1:])


def _collect_positives(
    maps: Iterable[tuple[Floats, Mask]],
) -> tuple[Floats, NDArray[np.float64], int]:
    scores: list[Floats] = []
    weights: list[NDArray[np.float64]] = []
    pixel_count = 0
    for anomaly_map, mask in maps:
        dtype = scores[0].dtype if scores else anomaly_map.dtype
        _require_map(f"anomaly map {len(scores)} (the first is 0)", anomaly_map, mask, dtype)
        scores.append(anomaly_map[mask])
        weights.append(_region_weights(mask))
        pixel_count += mask.size
        del anomaly_map, mask  # let go before the next is made
    if not scores:
        raise DataError("No anomaly map was given; at least one image is needed to measure pixels.")
    return np.concatenate(scores), np.concatenate(weights), pixel_count


def _require_map(name: str, anomaly_map: Floats, mask: Mask, dtype: np.dtype[np.floating]) -> None:
    require_rankable(name, anomaly_map, mask)
    if anomaly_map.ndim != 2 or anomaly_map.dtype != dtype:
        raise DataError(
            f"{name}: got shape {anomaly_map.shape} and {anomaly_map.dtype}; every map must be "
            f"[height, width] and {dtype} like the first. Convert the maps before measuring."
        )


def _region_weights(mask: Mask) -> NDArray[np.float64]:
    """Return 1 / (pixels of its region) for each pixel inside, so that every region weighs 1."""
    if not mask.any():
        return np.empty(0)
    labels, _ = connected_regions(mask)
    region = labels[mask]
    return 1 / np.bincount(region)[region]


def aupro(table: PixelTable, maximum_false_positive_rate: float = 0.3) -> float | None:
    """Return the area under the per-region overlap curve; None without both kinds of pixels.

    The curve is the mean overlap over regions, against the false-positive rate over all good pixels of
    all images. Trapezoids integrate it exactly from 0 to the limit. The area is divided by the limit, so
    that 1 is perfect (Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021).

    Args:
        table: Result of `rank_pixels`.
        maximum_false_positive_rate: Limit, above 0 and up to 1.

    Raises:
        UsageError: the limit lies outside that range.
    """
    limit = maximum_false_positive_rate
    if not 0 < limit <= 1:
        raise UsageError(
            f"AUPRO up to a false-positive rate of {limit} was asked for; the limit must be above "
            "0 and at most 1. The usual one is 0.3."
        )
    if not table.pixels.has_both_classes:
        return None
    rate, overlap = curve_of(table.pixels, table.region_overlap)
    inside = int(np.searchsorted(rate, limit, side="right"))
    overlap_at_limit = np.interp(
        limit, rate[inside - 1 : inside + 1], overlap[inside - 1 : inside + 1]
    )
    rate = np.append(rate[:inside], limit)
    overlap = np.append(overlap[:inside], overlap_at_limit)
    area = np.sum(np.diff(rate) * (overlap[1:] + overlap[:-1])) / 2
    return float(area / limit)


def pixel_metrics(pixel_maps: PixelMaps) -> dict[str, float | None]:
    """Measure how well anomaly maps separate defective pixels from good ones.

    Returns:
        `pixel_auroc`, `pixel_ap`, `pixel_f1_max` (oracle), `aupro` (false-positive rate up to 0.3)
        and `aupro_5` (up to 0.05), each in 0..1, or None without both kinds of pixels.

    Raises:
        DataError: the errors of `rank_pixels`.
    """
    table = rank_pixels(pixel_maps)
    best = f1_max(table.pixels)
    return {
        "pixel_auroc": auroc(table.pixels),
        "pixel_ap": average_precision(table.pixels),
        "pixel_f1_max": best.value if best else None,
        "aupro": aupro(table, 0.3),
        "aupro_5": aupro(table, 0.05),
    }
