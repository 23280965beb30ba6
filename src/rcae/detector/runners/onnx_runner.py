"""Runner for an exported ONNX file, by ONNX Runtime."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.base.errors import CheckpointError
from rcae.base.extras import require
from rcae.detector.runners.exported import (
    METADATA_KEY,
    OUTPUTS,
    ExportedRunner,
    ExportRecord,
    content_of,
    sha256_of,
)


class OnnxRunner(ExportedRunner):
    """Runner for an ONNX file, on the CPU."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open a file written by 'rcae export --to onnx'.

        Args:
            path: File to open.
            threads: Number of threads. The default is one per CPU core.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
            CheckpointError: the file was not written by 'rcae export --to onnx', or is damaged.
        """
        require("onnxruntime", purpose=str(path))
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        content = content_of(path)
        try:
            self._session = onnxruntime.InferenceSession(
                *content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise CheckpointError(
                f"{path} is not a readable ONNX file ({error}); export the run again."
            ) from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        super().__init__(
            ExportRecord.from_text(metadata.get(METADATA_KEY), path), sha256_of(content)
        )

    def execute(self, inputs: dict[str, NDArray[Any]]) -> Array:
        """See `ExportedRunner.execute`."""
        anomaly_map: Array = self._session.run(OUTPUTS[:1], inputs)[0]
        return anomaly_map
