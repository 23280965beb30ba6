"""Observers, which follow a training from outside, step by step."""

from typing import Protocol

from rcae.detector.run.run_folder import RunFolder


class Observer(Protocol):
    """Receiver of the events of a training, in the process that writes the run folder."""

    def begun(self, folder: RunFolder) -> None:
        """Note that training starts or goes on; settings and record of the run are written."""

    def step(self, stage: str, step: int, loss: float) -> None:
        """Note the loss of a step of a stage, counted from 1."""

    def finished(self, folder: RunFolder) -> None:
        """Note that the model, its calibration and its pictures are written."""
