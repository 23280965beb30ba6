"""The preset `quick` in torch, for `speed.py`; weights do not matter for speed and are untrained."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed_cost import cost
from speed_worker import Contender, random_images

from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration import calibrate
from rcae.detector.export.graph import PredictionGraph
from rcae.detector.export.onnx_export import export_onnx
from rcae.detector.export.openvino_export import export_openvino
from rcae.detector.run.checkpoint import Model
from rcae.detector.run.model_header import ModelHeader
from rcae.model.system import RcaeSystem

CALIBRATION_IMAGES = 4
"""That int8 takes its ranges from: noise, as speed does not depend on them."""


def build(case: dict[str, Any]) -> Contender:
    """The graph that is exported, executed by torch; or the export itself."""
    torch.set_num_threads(case["threads"])
    if case["model"] == "export":
        return Contender(lambda: _export(Path(case["folder"])))
    model = untrained()
    graph = PredictionGraph(model).eval()
    execute = torch.compile(graph) if case["model"] == "torch compiled" else graph
    images = torch.from_numpy(random_images(case))
    threshold = torch.tensor(0.5)

    def run() -> object:
        with torch.inference_mode():
            return execute(images, threshold)

    return Contender(run, lambda: cost(graph, images[:1], threshold, trained=model.system))


def untrained() -> Model:
    """A model of the preset `quick` that works on images of any size as they are, at one exposure."""
    torch.manual_seed(0)
    settings = load_settings("quick")
    system = RcaeSystem(settings.model).requires_grad_(False).eval()
    sight = system.sight(torch.rand(1, 3, 256, 256))
    for kind in system.kinds:
        kind.learn(kind.features(sight), fold=0)
        kind.settle()
        kind.forget()
    view = WorkingView(scale=1.0, brightness=0.5)
    provenance = {"category": "none", "training_images": 0, "data_sha256": ""}
    calibration = calibrate([0.4, 0.5, 0.6], 0.1, 0.25)
    return Model(system, ModelHeader(settings, view, calibration, provenance))


def _export(folder: Path) -> None:
    """What `speed_exported` opens; files of before are kept."""
    good = np.random.default_rng(0).random((CALIBRATION_IMAGES, 256, 256, 3), dtype=np.float32)
    folder.mkdir(exist_ok=True)
    for name, write, precision in (
        ("onnxruntime.onnx", export_onnx, "fp32"),
        ("openvino.xml", export_openvino, "fp32"),
        ("openvino-int8.xml", export_openvino, "int8"),
    ):
        if not (folder / name).exists():
            write(untrained(), precision, good, folder / name)
