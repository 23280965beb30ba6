"""`rcae predict` on a folder, for `speed.py`: does its cost grow with the number of images?"""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from speed_ours import untrained
from speed_worker import Contender

from rcae.detector.detector import Detector
from rcae.detector.predictions import predict_files
from rcae.detector.runners.torch_runner import TorchRunner


def build(case: dict[str, Any]) -> Contender:
    """A folder of `batch` images, inspected one after the other by torch."""
    torch.set_num_threads(case["threads"])
    # Lives as long as the contender, whose closure holds it.
    folder = tempfile.TemporaryDirectory()
    paths = [Path(folder.name) / f"{number}.png" for number in range(case["batch"])]
    random = np.random.default_rng(0)
    for path in paths:
        coarse = random.integers(0, 256, (case["size_px"] // 8, case["size_px"] // 8, 3), np.uint8)
        Image.fromarray(coarse).resize((case["size_px"],) * 2).save(path)
    detector = Detector(TorchRunner(untrained(), "cpu"))
    outputs = (Path(folder.name) / f"out-{number}" for number in itertools.count())
    return Contender(lambda: predict_files(detector, paths, next(outputs)))
