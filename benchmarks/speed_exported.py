"""The exported preset `quick` in ONNX Runtime and OpenVINO, for `speed.py`; as where no torch is."""

from pathlib import Path
from typing import Any

import numpy as np
from speed_worker import Contender, random_images

from rcae.runners.exported import IMAGES, THRESHOLD

FILES = {
    "onnxruntime": "onnxruntime.onnx",
    "openvino": "openvino.xml",
    "openvino int8": "openvino-int8.xml",
}
RECURRING_SIZE = 3
"""Batches until OpenVINO has the graph compiled for their size, as for a camera's images."""


def build(case: dict[str, Any]) -> Contender:
    """The file that `speed_ours` exported, opened as `rcae predict` does; score and decision included."""
    path = Path(case["folder"]) / FILES[case["model"]]
    if path.suffix == ".onnx":
        from rcae.runners.onnx_runner import OnnxRunner as RunnerOf
    else:
        from rcae.runners.openvino_runner import OpenvinoRunner as RunnerOf
    runner = RunnerOf(path, threads=case["threads"])
    inputs = {IMAGES: random_images(case), THRESHOLD: np.array(0.5, np.float32)}
    for _ in range(RECURRING_SIZE):
        runner.execute(inputs)
    return Contender(lambda: runner.execute(inputs).max(axis=(1, 2)) >= inputs[THRESHOLD])
