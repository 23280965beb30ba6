"""Runner for an exported OpenVINO model, by OpenVINO."""

from collections import Counter
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.base.errors import CheckpointError
from rcae.base.extras import require
from rcae.detector.runners.exported import (
    IMAGES,
    METADATA_KEY,
    OUTPUTS,
    ExportedRunner,
    ExportRecord,
    content_of,
    sha256_of,
)

RECURRING = 3
"""Number of batches of one shape until the graph is compiled for that shape.

A batch of that shape then takes about a quarter less time. Compilation takes as long as some dozen
images of 256 px.
"""
MOST_SHAPES = 4
"""Most shapes that the graph is compiled for; the graph for any shape handles all others."""


class OpenvinoRunner(ExportedRunner):
    """Runner for an OpenVINO model, on the CPU, always in float32: answers do not depend on the machine.

    Threads may share it. They take turns, because a compiled graph executes one request at a time and each
    request uses all its threads.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open a file that 'rcae export --to openvino' wrote, with its `.bin` beside it, or '--to onnx'.

        Args:
            path: File to open.
            threads: Number of threads. The default is one per CPU core.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            CheckpointError: the file was not written by 'rcae export', or is damaged.
        """
        require("openvino", purpose=str(path))
        import openvino

        self._core = _core()
        self._options = {
            "INFERENCE_PRECISION_HINT": openvino.Type.f32,
            "INFERENCE_NUM_THREADS": threads or 0,
        }
        content = content_of(path)
        try:
            self._network = self._core.read_model(*content)
            self._for_any_shape = self._compiled()
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} is not a readable OpenVINO model ({str(error).strip()}); export the run "
                "again, and keep its .bin file beside it."
            ) from error
        super().__init__(ExportRecord.from_text(_metadata(self._network), path), sha256_of(content))
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._for_shape: dict[tuple[int, ...], Any] = {}
        self._used = self._for_any_shape
        self._turn = Lock()

    def execute(self, inputs: dict[str, NDArray[Any]]) -> Array:
        """See `ExportedRunner.execute`."""
        with self._turn:
            anomaly_map: Array = self._graph_for(inputs[IMAGES].shape)(inputs)[OUTPUTS[0]]
            return anomaly_map

    def _graph_for(self, shape: tuple[int, ...]) -> Any:
        self._seen[shape] += 1
        if self._seen[shape] == RECURRING and len(self._for_shape) < MOST_SHAPES:
            self._network.reshape({IMAGES: shape})
            self._for_shape[shape] = self._compiled()
        graph = self._for_shape.get(shape, self._for_any_shape)
        if graph is not self._used:
            self._used.release_memory()  # or every graph would keep the memory of one
            self._used = graph
        return graph

    def _compiled(self) -> Any:
        return self._core.compile_model(self._network, "CPU", self._options)


@cache
def _core() -> Any:
    """Return the core of this process.

    Two cores would crash it: each sets a signal stack, and the second puts back that of the first, which is
    gone by then. The next signal has no stack.
    """
    import openvino

    return openvino.Core()


def _metadata(network: Any) -> str | None:
    """Return the metadata of either format: OpenVINO keeps that of an ONNX file under 'framework'."""
    for place in ([METADATA_KEY], ["framework", METADATA_KEY]):
        if network.has_rt_info(place):
            return str(network.get_rt_info(place).astype(str))
    return None
