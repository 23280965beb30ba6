"""Export of a model as an OpenVINO file pair: `.xml` and, beside it, `.bin`."""

import tempfile
from pathlib import Path
from typing import Any

from rcae.base.extras import require
from rcae.base.storage import refused, write_bytes
from rcae.detector.export.onnx_export import (
    EVIDENCE,
    Images,
    Precision,
    calibration_inputs,
    onnx_model,
    record,
)
from rcae.detector.run.checkpoint import Model
from rcae.detector.runners.exported import METADATA_KEY


def export_openvino(model: Model, precision: Precision, good_images: Images, path: Path) -> None:
    """Write the model for OpenVINO. `export_onnx` has the same arguments; `path` ends in `.xml`.

    Raises:
        MissingExtraError: OpenVINO is not installed, or NNCF, which int8 needs.
        StorageError: the disk refused the files; older files are unchanged.
    """
    require("openvino", purpose="rcae export --to openvino")
    import openvino

    network = openvino.Core().read_model(onnx_model(model).SerializeToString())
    if precision == "int8":
        network = _quantised(network, model, good_images)
    network.set_rt_info(record(model, precision).to_text(), METADATA_KEY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as name:
            ready = Path(name) / "ready.xml"
            openvino.save_model(network, ready, compress_to_fp16=precision == "fp16")
            # The weights come first, because readers look for the .xml.
            for suffix in (".bin", ".xml"):
                write_bytes(path.with_suffix(suffix), ready.with_suffix(suffix).read_bytes())
    except (OSError, RuntimeError) as error:  # the latter is OpenVINO's word for a full disk
        raise refused(path, OSError(*error.args)) from error


def _quantised(network: Any, model: Model, good_images: Images) -> Any:
    require("nncf", purpose="int8")
    import nncf

    inputs = list(calibration_inputs(model, good_images))
    return nncf.quantize(
        network,
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(
            types=["MatMul"], patterns=[f".*{EVIDENCE}.*"], validate=False
        ),
    )
