"""Export of a model as one ONNX file."""

import io
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.base.extras import require
from rcae.base.storage import write_bytes
from rcae.detector.export.graph import PredictionGraph
from rcae.detector.run.checkpoint import Model, weights_sha256
from rcae.detector.runners.exported import (
    IMAGES,
    METADATA_KEY,
    OUTPUTS,
    THRESHOLD,
    ExportRecord,
    as_bytes,
)

Precision = Literal["fp32", "fp16", "int8"]
Images = Iterable[Array]

OPSET = 18
EXAMPLE_SIZE_PX = (200, 264)
"""Size of the traced example. Any size will do: batch, height and width stay free."""
EVIDENCE = "/evidence_kinds."
"""Part of the names of the operators that belong to a kind of evidence."""
FREE_AXES = {
    IMAGES: {0: "batch", 1: "height", 2: "width"},
    OUTPUTS[0]: {0: "batch", 1: "height", 2: "width"},
    OUTPUTS[1]: {0: "batch"},
    OUTPUTS[2]: {0: "batch"},
}


def export_onnx(model: Model, precision: Precision, good_images: Images, path: Path) -> None:
    """Write the model as ONNX.

    Args:
        model: Model on the CPU.
        precision: One of "fp32", "fp16" and "int8". Precision "fp16" stores weights in half the bytes and
            computes in fp32. Precision "int8" computes convolutions in 8 bits, with ranges from
            `good_images`.
        good_images: Images [height, width, 3] in 0..1; read for "int8" only.
        path: File to write.

    Raises:
        MissingExtraError: the packages that write ONNX are not installed.
        StorageError: the disk refused the file; an older file at `path` is unchanged.
    """
    proto = onnx_model(model)
    if precision == "fp16":
        _halve_weights(proto)
    elif precision == "int8":
        proto = _quantised(proto, model, good_images)
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, record(model, precision).to_text()
    write_bytes(path, proto.SerializeToString())


def record(model: Model, precision: Precision) -> ExportRecord:
    """Make the record that the exported file holds about itself."""
    return ExportRecord(
        header=model.header,
        precision=precision,
        weights_sha256=weights_sha256(model.system.state_dict()),
        exported_with={name: metadata.version(name) for name in ("rcae", "torch")},
    )


def onnx_model(model: Model) -> Any:
    """Return the prediction graph as an `onnx.ModelProto`, fp32, without metadata.

    The graph is traced (`dynamo=False`). `torch.export` would reason symbolically about every size of
    the nested recursion, which takes minutes even for the smallest model.
    """
    images = torch.zeros((2, *EXAMPLE_SIZE_PX, 3), dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The warnings say that this is a trace. The tests compare the graph at other sizes, too.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            PredictionGraph(model).eval(),
            (images, torch.tensor(0.5)),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            dynamic_axes=FREE_AXES,
            input_names=[IMAGES, THRESHOLD],
            output_names=list(OUTPUTS),
        )
    return onnx.load_from_string(buffer.getvalue())


def _halve_weights(proto: Any) -> None:
    """Store the weights of convolutions as float16; they become float32 when the file is loaded."""
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) >= 4:
            full, half = tensor.name, f"{tensor.name}_half"
            values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, half))
            casts.append(onnx.helper.make_node("Cast", [half], [full], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _quantised(proto: Any, model: Model, good_images: Images) -> Any:
    """Quantise convolutions to 8 bits, with scales from their inputs on good images.

    The whitening of the feature distance is not quantised: its weights differ by orders of magnitude.
    """
    require("onnxruntime", purpose="int8")
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._inputs = calibration_inputs(model, good_images)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._inputs, None)

    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / f"{n}.onnx" for n in ("fp32", "ready", "int8"))
        onnx.save(proto, source)
        quantization.shape_inference.quant_pre_process(
            source, prepared, skip_symbolic_shape=True, auto_merge=True
        )
        quantization.quantize_static(
            prepared,
            target,
            Reader(),
            op_types_to_quantize=["Conv", "ConvTranspose"],
            nodes_to_exclude=[
                node.name for node in onnx.load(prepared).graph.node if EVIDENCE in node.name
            ],
            per_channel=True,
            reduce_range=True,  # 7-bit weights: sums of 8-bit ones overflow on CPUs without VNNI
        )
        return onnx.load(target)


def calibration_inputs(model: Model, good_images: Images) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the inputs of the graph, image by image, to measure the ranges for int8."""
    threshold = np.array(model.header.calibration.threshold, np.float32)
    for image in good_images:
        yield {IMAGES: as_bytes(image), THRESHOLD: threshold}
