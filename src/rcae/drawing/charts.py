"""Charts of training, evaluation and drift as PNG files. Calls share no state."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)
from scipy.ndimage import uniform_filter1d

from rcae.base.arrays import Numbers

Points = Sequence[float | None]

# Okabe and Ito's colours are distinct under every common colour blindness.
_GOOD = "#0072b2"
_DEFECTIVE = "#d55e00"
_SHIFT = "#009e73"
_INK = "#3d4450"
_GRID = "#e3e6ea"
_BIN_COUNT = 36
_NARROWEST = float(np.finfo(np.float64).tiny)
"""Width of a histogram bar if all scores and the threshold are almost zero."""
_DOTS_PER_INCH = 200


def loss_chart(losses: Mapping[str, Sequence[float]]) -> bytes:
    """Draw loss per step on a log scale, one panel per training stage: raw (thin) and smoothed."""
    figure = Figure(figsize=(3.9 * max(1, len(losses)), 3.2), layout="constrained")
    for position, (stage, values) in enumerate(losses.items(), start=1):
        axes = figure.add_subplot(1, len(losses), position)
        _label(axes, title=stage, x="step", y="loss" if position == 1 else "")
        loss = np.asarray(values, dtype=np.float64)
        if not (loss > 0).any():
            _say(axes, "no loss above 0")
            continue
        steps = np.arange(1, len(loss) + 1)
        smoothed = uniform_filter1d(loss, size=max(1, len(loss) // 30), mode="nearest")
        axes.plot(steps, loss, color=_GOOD, alpha=0.3, linewidth=0.7)
        axes.plot(steps, smoothed, color=_GOOD, linewidth=1.8)
        axes.set_title(f"{stage}, ends at {smoothed[-1]:.3g}", loc="left", fontsize=11, color=_INK)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    return _png(figure)


def roc_chart(
    false_positive_rate: Numbers,
    true_positive_rate: Numbers,
    auroc: float,
    operating_point: tuple[float, float],
) -> bytes:
    """Draw the ROC curve with its area and the operating point (false-alarm rate, detection rate)."""
    figure = Figure(figsize=(5.2, 4), layout="constrained")
    axes = figure.add_subplot()
    _label(
        axes,
        title=f"ROC curve, area {auroc:.3f}",
        x="share of good images raising an alarm",
        y="share of defective images found",
    )
    axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.annotate("chance", (0.75, 0.75), xytext=(6, -12), textcoords="offset points", color=_INK)
    axes.fill_between(false_positive_rate, true_positive_rate, color=_GOOD, alpha=0.08, linewidth=0)
    axes.plot(false_positive_rate, true_positive_rate, color=_GOOD, linewidth=2, clip_on=False)
    _mark_operating_point(axes, *operating_point)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=" %"))
    return _png(figure)


def score_histogram(
    good_scores: Numbers,
    defective_scores: Numbers,
    threshold: float,
    *,
    title: str = "Scores on the test images",
    names: tuple[str, str] = ("good", "defective"),
    earlier_thresholds: Sequence[float] = (),
) -> bytes:
    """Draw a histogram of anomaly scores for good and defective images, with the threshold as a line.

    The threshold is a bin edge, so that no bar mixes accepted and rejected images.
    """
    figure = Figure(figsize=(5.2, 4), layout="constrained")
    axes = figure.add_subplot()
    _label(axes, title=title, x="anomaly score", y="images")
    edges = _edges_around(threshold, np.concatenate([good_scores, defective_scores]))
    for scores, name, colour in zip(
        (good_scores, defective_scores), names, (_GOOD, _DEFECTIVE), strict=True
    ):
        counts, _ = np.histogram(scores.astype(np.float64), bins=edges)
        axes.stairs(counts, edges, fill=True, color=colour, alpha=0.35)
        axes.stairs(counts, edges, color=colour, linewidth=1.4, label=f"{name} ({len(scores)})")
    axes.axvline(
        threshold, color=_INK, linewidth=1.4, linestyle="--", label=f"threshold {threshold:.4g}"
    )
    for earlier in earlier_thresholds:
        label = f"before: {earlier:.4g}"
        axes.axvline(earlier, color=_INK, linewidth=1.0, linestyle=":", label=label)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=10, labelcolor=_INK)
    return _png(figure)


def days_chart(
    days: Sequence[date],
    images: Sequence[int],
    rejected: Sequence[float],
    intervals: Sequence[tuple[float, float]],
) -> bytes:
    """Draw images per day and, below, the rejected share with its interval."""
    figure = Figure(figsize=(5.2, 4), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[2, 3])
    _label(above, title="Images a day", x="", y="images")
    above.bar(days, images, color=_GOOD, alpha=0.6)
    above.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    _label(below, title="Share rejected, with its 95 % interval", x="", y="")
    shares, ends = np.array(rejected), np.array(intervals).T
    reach = np.abs(ends - shares)  # rounding may move an end past the share
    below.errorbar(
        days, shares, yerr=reach, fmt="o", color=_DEFECTIVE, markersize=5, capsize=2, linewidth=1.2
    )
    below.set_ylim(bottom=0)
    below.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=" %"))
    below.set_xlim(days[0] - timedelta(days=1), days[-1] + timedelta(days=1))
    below.tick_params(axis="x", pad=8)
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))  # whole days
    below.xaxis.set_major_formatter(DateFormatter("%m-%d"))  # type: ignore[no-untyped-call]
    return _png(figure)


def ablation_chart(
    labels: Sequence[str], panels: Mapping[str, tuple[Points, Points, Points]]
) -> bytes:
    """Draw the paper's numbers beside ours, one panel per metric, one row per variant.

    Args:
        labels: names of the variants, from top to bottom.
        panels: values by metric: the paper's values, our values, and our standard deviations.
            All values are in percent; None marks a missing number.
    """
    figure = Figure(figsize=(4.6 * len(panels), 0.9 + 0.45 * len(labels)), layout="constrained")
    rows = np.arange(len(labels))[::-1]
    for position, (metric, (paper, ours, deviations)) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), position)
        _label(axes, title=metric, x="%", y="")
        axes.plot(_numbers(paper), rows, "D", color=_INK, markersize=7, label="paper, MVTec AD")
        axes.errorbar(
            _numbers(ours),
            rows,
            xerr=np.nan_to_num(_numbers(deviations)),
            fmt="o",
            color=_GOOD,
            markersize=7,
            capsize=3,
            label="ours",
        )
        axes.set_yticks(rows, labels if position == 1 else [""] * len(labels))
        axes.set_ylim(-0.6, len(labels) - 0.4)
        if position == 1:
            axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
    return _png(figure)


def drift_chart(
    *,
    scores: Sequence[float],
    rejected: Sequence[bool],
    calibration_scores: Sequence[float],
    threshold: float,
    evidence: Mapping[str, Sequence[float]],
    alarm_evidence: float,
    since: int | None,
) -> bytes:
    """Draw scores over the image number and, below, the log10 of each kind of evidence.

    The first two kinds of evidence are drawn, in the colours of shift and of defects.
    `since` is the image number at which drift is estimated to start.
    """
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 2])
    numbers, values = np.arange(1, len(scores) + 1), np.asarray(scores)
    is_rejected = np.asarray(rejected, dtype=np.bool_)
    _label(above, title="Scores", x="", y="anomaly score")
    low, first, third, high = np.quantile(calibration_scores, [0, 0.25, 0.75, 1])
    count = len(calibration_scores)
    above.axhspan(low, high, color=_INK, alpha=0.08, linewidth=0, label=f"calibration ({count})")
    above.axhspan(first, third, color=_INK, alpha=0.12, linewidth=0, label="its middle half")
    size = 5 if len(scores) < 500 else 2.5
    for name, chosen, colour in (
        ("accepted", ~is_rejected, _GOOD),
        ("rejected", is_rejected, _DEFECTIVE),
    ):
        label = f"{name} ({np.count_nonzero(chosen)})"
        above.plot(numbers[chosen], values[chosen], "o", color=colour, markersize=size, label=label)
    above.axhline(
        threshold, color=_INK, linewidth=1.4, linestyle="--", label=f"threshold {threshold:.4g}"
    )
    _label(below, title="Evidence of drift", x="image", y="power of ten")
    for (name, curve), colour in zip(evidence.items(), (_SHIFT, _DEFECTIVE), strict=True):
        below.plot(numbers, curve, color=colour, linewidth=1.8, label=name)
    below.axhline(alarm_evidence, color=_INK, linewidth=1.4, linestyle="--", label="drift")
    below.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    for axes in (above, below):
        if since is not None:
            axes.axvline(since, color=_INK, linewidth=1.2, label=f"since image {since}")
        axes.legend(
            frameon=False,
            fontsize=9,
            labelcolor=_INK,
            loc="upper left",
            bbox_to_anchor=(1, 1),
        )
    return _png(figure)


def _numbers(values: Points) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _edges_around(threshold: float, scores: Numbers) -> npt.NDArray[np.float64]:
    """Return histogram bin edges over all scores, one of them exactly at the threshold."""
    low = min(threshold, float(scores.min(initial=np.inf)))
    high = max(threshold, float(scores.max(initial=-np.inf)))
    size = max(abs(low), abs(high))
    span = high - low if high - low > 1e-6 * size else size or 1.0  # all scores are equal
    width = max(span / _BIN_COUNT, _NARROWEST)
    bars_below = int(np.floor((low - threshold) / width)) - 1
    bars_above = int(np.ceil((high - threshold) / width)) + 1
    return threshold + width * np.arange(bars_below, bars_above + 1, dtype=np.float64)


def _mark_operating_point(axes: Axes, false_alarm_rate: float, detection_rate: float) -> None:
    point = (false_alarm_rate, detection_rate)
    axes.plot(*point, "o", color=_DEFECTIVE, markersize=9, clip_on=False, zorder=3)
    on_the_left, at_the_bottom = false_alarm_rate < 0.5, detection_rate < 0.3
    axes.annotate(
        f"at the threshold:\n{100 * detection_rate:.1f} % found\n"
        f"{100 * false_alarm_rate:.1f} % false alarms",
        point,
        xytext=(12 if on_the_left else -12, 8 if at_the_bottom else -8),
        textcoords="offset points",
        horizontalalignment="left" if on_the_left else "right",
        verticalalignment="bottom" if at_the_bottom else "top",
        color=_DEFECTIVE,
        fontsize=10,
    )


def _label(axes: Axes, *, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel(x, fontsize=10, color=_INK)
    axes.set_ylabel(y, fontsize=10, color=_INK)
    axes.tick_params(which="both", colors=_INK, labelsize=9.5, length=0)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, horizontalalignment="center", color=_INK)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, facecolor="white")
    return buffer.getvalue()
