"""The chart of `speed.py`: images per second of every model, one panel per size."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from speed_cases import OURS, Row

OURS_COLOUR, PEERS_COLOUR, INK = "#0072b2", "#d55e00", "#3d4450"


def draw_chart(rows: Sequence[Row]) -> bytes:
    """A PNG; at the smallest batch and with the most threads that were measured."""
    measured = [row for row in rows if "failed" not in row]
    batch = min((row["batch"] for row in measured), default=0)
    threads = max((row["threads"] for row in measured), default=0)
    shown = [row for row in measured if (row["batch"], row["threads"]) == (batch, threads)]
    sizes = sorted({row["size_px"] for row in shown})
    figure = Figure(figsize=(4.4 * max(1, len(sizes)), 3.6), layout="constrained")
    for position, size_px in enumerate(sizes, start=1):
        here = [row for row in shown if row["size_px"] == size_px]
        axes = figure.add_subplot(1, len(sizes), position)
        rates = [row["images_per_s"] for row in here]
        colours = [OURS_COLOUR if row["model"] in OURS else PEERS_COLOUR for row in here]
        bars = axes.barh(np.arange(len(here)), rates, color=colours)
        axes.bar_label(bars, [f"{rate:.3g}" for rate in rates], padding=3, color=INK, fontsize=9)
        axes.set_yticks(np.arange(len(here)), [row["model"] for row in here], color=INK)
        axes.invert_yaxis()
        axes.margins(x=0.18)
        title = f"{size_px} px, batch {batch}, threads {threads}"
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("images per second", fontsize=10, color=INK)
        axes.tick_params(colors=INK, labelsize=9.5, length=0)
        axes.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor="white")
    return buffer.getvalue()
