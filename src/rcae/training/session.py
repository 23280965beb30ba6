"""One sitting of training, from start or resume to end or interruption: progress and saving."""

import time
from collections.abc import Mapping, Sequence

import torch

from rcae.base.errors import InterruptedTrainingError
from rcae.base.interruption import StopRequest
from rcae.base.progress import StageProgress
from rcae.detector.run.run_folder import RunFolder
from rcae.model.system import RcaeSystem
from rcae.training import processes
from rcae.training.stages import Stage
from rcae.training.state import TrainingState, save_state

SAVE_EVERY_S = 20.0
"""An interruption loses at most this much work, plus one step."""


class Sitting:
    """Follows the loop step by step: counts, shows, saves, and stops when asked."""

    def __init__(
        self,
        folder: RunFolder,
        system: RcaeSystem,
        stages: Sequence[Stage],
        state: TrainingState,
        stop: StopRequest,
    ) -> None:
        self._folder, self._system, self._stages = folder, system, stages
        self._state, self._stop = state, stop
        self._saved_at = time.monotonic()

    def begin(
        self,
        optimizer: torch.optim.Adam,
        steps: Mapping[str, int],
        step_seconds: Mapping[str, float],
        batch_size: int,
    ) -> None:
        """Start or resume the stage at the state's position."""
        stage = self._stages[self._state.stage_index]
        later = self._stages[self._state.stage_index + 1 :]
        later_s = sum(steps[other.name] * step_seconds[other.name] for other in later)
        self._optimizer = optimizer
        self._losses = self._state.losses.setdefault(stage.name, [])
        self._progress = StageProgress(
            f"stage {self._state.stage_index + 1}/{len(self._stages)} {stage.name}",
            first_step=self._state.steps_done,
            steps=steps[stage.name],
            batch_size=batch_size,
            later_steps=later_s / step_seconds[stage.name],
        )

    def after_step(self, steps_done: int, loss: float) -> None:
        """Called between two updates.

        Raises:
            InterruptedTrainingError: somebody asked to stop; everything is saved.
            StorageError: the disk refused; the last saved state is intact.
        """
        self._losses.append(loss)
        self._state.steps_done = steps_done
        self._progress.step(loss)
        if processes.any_says(self._stop.requested):
            self._save()
            self._progress.close()
            processes.wait()  # once one process ends, torchrun ends the others
            raise InterruptedTrainingError(
                f"stopped; all work is saved in {self._folder.path}. Run the same command with "
                "--resume to go on."
            )
        if time.monotonic() - self._saved_at > SAVE_EVERY_S:
            self._save()

    def end(self) -> None:
        """Close the stage and move on to the next."""
        self._progress.close()
        self._save()
        self._state.stage_index += 1
        self._state.steps_done = 0

    def _save(self) -> None:
        if not processes.is_first():
            return
        now = time.monotonic()
        self._state.elapsed_s += now - self._saved_at
        self._saved_at = now
        stage = self._stages[self._state.stage_index]
        save_state(self._folder.state, self._state, self._system, stage.module, self._optimizer)
        self._folder.write_losses(self._state.losses)
