"""An exported OpenVINO model, executed by OpenVINO."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rcae.detection import Array
from rcae.errors import CheckpointError
from rcae.extras import require
from rcae.runners.exported import METADATA_KEY, OUTPUTS, ExportedRunner, ExportRecord


class OpenvinoRunner(ExportedRunner):
    """On the CPU, in float32 whatever the machine could do: answers do not depend on it."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open a file written by 'rcae export --to openvino', its `.bin` beside it; or by '--to onnx'.

        Args:
            path: of the file.
            threads: as many as the CPU has cores, unless given.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            CheckpointError: not such a file, or damaged.
        """
        require("openvino", purpose=str(path))
        import openvino

        core = openvino.Core()
        try:
            network = core.read_model(path)
            self._compiled = core.compile_model(
                network,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": openvino.Type.f32,
                    "INFERENCE_NUM_THREADS": threads or 0,
                },
            )
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} is not a readable OpenVINO model ({str(error).strip()}); export the run "
                "again, and keep its .bin file beside it."
            ) from error
        super().__init__(ExportRecord.from_text(_metadata(network), path))

    def execute(self, inputs: dict[str, NDArray[Any]]) -> Array:
        """See `ExportedRunner.execute`."""
        anomaly_map: Array = self._compiled(inputs)[OUTPUTS[0]]
        return anomaly_map


def _metadata(network: Any) -> str | None:
    """Of either format: OpenVINO keeps an ONNX file's under 'framework'."""
    for place in ([METADATA_KEY], ["framework", METADATA_KEY]):
        if network.has_rt_info(place):
            return str(network.get_rt_info(place).astype(str))
    return None
