"""The exported preset `quick` in ONNX Runtime and OpenVINO, for `speed.py`; as where no torch is."""

from pathlib import Path
from typing import Any

import numpy as np
from speed_worker import Contender, random_images

from rcae.detector.runners.exported import IMAGES, THRESHOLD
from rcae.detector.runners.onnx_runner import OnnxRunner
from rcae.detector.runners.openvino_runner import RECURRING, OpenvinoRunner

FILES = {
    "onnxruntime": "onnxruntime.onnx",
    "openvino": "openvino.xml",
    "openvino int8": "openvino-int8.xml",
}


def build(case: dict[str, Any]) -> Contender:
    """The file that `speed_ours` exported, opened as `rcae predict` does; score and decision included."""
    path = Path(case["folder"]) / FILES[case["model"]]
    runner_of = OnnxRunner if path.suffix == ".onnx" else OpenvinoRunner
    runner = runner_of(path, threads=case["threads"])
    inputs = {IMAGES: random_images(case), THRESHOLD: np.array(0.5, np.float32)}
    if runner_of is OpenvinoRunner:
        for _ in range(RECURRING):  # until the graph is compiled for their size, as for a camera's
            runner.execute(inputs)
    return Contender(lambda: runner.execute(inputs).max(axis=(1, 2)) >= inputs[THRESHOLD])
