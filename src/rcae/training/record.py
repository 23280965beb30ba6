"""Content of `run.json` when a run starts."""

import os
import platform
from collections.abc import Mapping
from typing import Any

import torch

from rcae.base.machine import package_versions
from rcae.base.settings import Settings
from rcae.data.layouts.source import DataSource
from rcae.training.request import Request
from rcae.training.training_data import GoodParts


def new_record(
    request: Request,
    settings: Settings,
    source: DataSource,
    parts: GoodParts,
    step_seconds: Mapping[str, float],
    process_count: int,
) -> dict[str, Any]:
    """Return the first content of `run.json`, as plain values; timings and calibration are added at the end.

    Args:
        request: the user's request.
        settings: the resulting settings, step counts included.
        source: the category as the user named it.
        parts: the good images, divided.
        step_seconds: duration of one step of each stage, in s.
        process_count: number of processes that train together.
    """
    return {
        "request": request.to_plain(),
        "seed": settings.seed,
        "data": {
            "category": parts.category.name,
            "layout": parts.category.layout,
            "training_images": len(parts.training),
            "calibration_images": len(parts.calibration),
            "sha256": parts.sha256,
            **({"source": source.to_plain()} if source.folders else {}),
        },
        "versions": package_versions(),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "processes": process_count,
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        },
        "seconds_per_step": dict(step_seconds),
    }
