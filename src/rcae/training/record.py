"""What a run writes down about itself."""

import os
import platform
from collections.abc import Mapping
from typing import Any

import torch

from rcae.base.machine import package_versions
from rcae.base.settings import Settings
from rcae.training.request import Request
from rcae.training.training_data import GoodParts


def new_record(
    request: Request,
    settings: Settings,
    parts: GoodParts,
    step_seconds: Mapping[str, float],
    process_count: int,
) -> dict[str, Any]:
    """The first content of `run.json`, as plain values; timings and calibration are added at the end.

    Args:
        request: what the user asked for.
        settings: what it came to, step counts included.
        parts: the good images, divided.
        step_seconds: how long a step of each stage takes, in s.
        process_count: how many processes train together.
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
