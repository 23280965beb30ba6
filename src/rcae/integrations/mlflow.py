"""MLflow: losses, settings, figures, pictures and the model of a training, as one run of MLflow.

The model has the flavour `pyfunc`. MLflow loads it by this module from `model.safetensors`, and unpickles
nothing.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rcae.base.errors import InterruptedTrainingError, UsageError
from rcae.base.extras import require
from rcae.detector.detector import Detector
from rcae.detector.run.run_folder import RunFolder
from rcae.integrations.tracking import figures_of, settings_of

require("mlflow", "pandas", purpose="--log mlflow")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves a closed network

import mlflow  # noqa: E402  refused above in one sentence
import pandas as pd  # noqa: E402
from mlflow.entities import Metric  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

LOSSES_AT_ONCE = 500
"""Losses that are sent together; MLflow takes a thousand at most."""


class _Run:
    def __init__(self) -> None:
        self._losses: list[Metric] = []
        self._id = ""

    def begun(self, folder: RunFolder) -> None:
        """See `Observer.begun`; an active run of MLflow becomes the parent of this one."""
        is_nested = mlflow.active_run() is not None
        self._id = mlflow.start_run(run_name=folder.path.name, nested=is_nested).info.run_id
        mlflow.log_params(settings_of(folder))
        record = folder.read_record()
        mlflow.set_tags({"category": record["data"]["category"], "run_folder": str(folder.path)})

    def step(self, stage: str, step: int, loss: float) -> None:
        """See `Observer.step`."""
        self._losses.append(Metric(f"loss/{stage}", loss, int(1000 * time.time()), step))
        if len(self._losses) >= LOSSES_AT_ONCE:
            self._send()

    def finished(self, folder: RunFolder) -> None:
        """See `Observer.finished`."""
        self._send()
        mlflow.log_metrics(figures_of(folder))
        for file in (folder.settings, folder.record, folder.loss_chart):
            mlflow.log_artifact(str(file))
        mlflow.log_artifacts(str(folder.samples), "recursion")
        mlflow.pyfunc.log_model(
            name="model",
            loader_module=__name__,
            data_path=str(folder.model),
            pip_requirements=["rcae[train]"],
        )

    def end(self, status: str) -> None:
        """Send what waits, and end the run of MLflow if it was started."""
        if self._id:
            self._send()
            mlflow.end_run(status)

    def _send(self) -> None:
        mlflow.MlflowClient().log_batch(self._id, self._losses)
        self._losses = []


@contextmanager
def opened() -> Iterator[_Run]:
    """Follow a training by a run of MLflow, which ends as the training does.

    Raises:
        UsageError: MLflow refused, like a server that is not there.
    """
    try:
        observer = _Run()
        try:
            yield observer
        except (InterruptedTrainingError, KeyboardInterrupt):
            observer.end("KILLED")
            raise
        except BaseException:
            observer.end("FAILED")
            raise
        observer.end("FINISHED")
    except MlflowException as error:
        raise UsageError(
            f"MLflow at {mlflow.get_tracking_uri()} refused ({error}); check MLFLOW_TRACKING_URI, or train "
            "without --log mlflow."
        ) from error


class _Inspection:
    """The model behind MLflow's interface."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Inspect image files.

        Args:
            model_input: a table with the column `image_path`, or the paths themselves.
            params: none are known.

        Returns:
            A row for each path: `image_path`, `anomaly_score`, `p_value`, `threshold`, `is_defective`.

        Raises:
            ImageError: a file is not a usable image.
        """
        paths = model_input["image_path"] if isinstance(model_input, pd.DataFrame) else model_input
        columns = ("anomaly_score", "p_value", "threshold", "is_defective")
        rows = []
        for path in map(str, paths):
            detection = self._detector.predict(path)
            rows.append(
                {"image_path": path, **{name: getattr(detection, name) for name in columns}}
            )
        return pd.DataFrame(rows, columns=["image_path", *columns])


def _load_pyfunc(path: str) -> _Inspection:
    """Load the model for MLflow, which calls this by name."""
    return _Inspection(Detector.load(path))
