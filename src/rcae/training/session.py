"""One session of training, from start or resume to end or interruption: progress and saving."""

import time
from collections.abc import Callable, Mapping, Sequence

import torch

from rcae.base.errors import InterruptedTrainingError
from rcae.base.progress import StageProgress
from rcae.detector.run.run_folder import RunFolder
from rcae.model.system import RcaeSystem
from rcae.training.observer import Observer
from rcae.training.stages import Stage
from rcae.training.state import TrainingState, save_state

SAVE_EVERY_S = 20.0
"""An interruption loses at most this much work, plus one step."""


class Session:
    """Follows the loop step by step: counts, shows, saves, and stops when asked.

    Args:
        folder: the run.
        system: the networks in training.
        stages: all stages of the run, also those already done.
        state: position of the run; moved on with every step.
        is_first: true in the process that saves.
        asked_to_stop: true once somebody wants the training to stop; called after every step.
        observers: those that follow the losses.
    """

    def __init__(
        self,
        folder: RunFolder,
        system: RcaeSystem,
        stages: Sequence[Stage],
        state: TrainingState,
        *,
        is_first: bool,
        asked_to_stop: Callable[[], bool],
        observers: Sequence[Observer] = (),
    ) -> None:
        self._folder, self._system, self._stages = folder, system, stages
        self._state, self._is_first, self._asked_to_stop = state, is_first, asked_to_stop
        self._saved_at = time.monotonic()
        self._observers = observers

    def begin(
        self,
        optimizer: torch.optim.Adam,
        steps: Mapping[str, int],
        step_seconds: Mapping[str, float],
        batch_size: int,
    ) -> None:
        """Start or resume the stage at the state's position.

        Args:
            optimizer: the one that updates the stage's network.
            steps: number of steps of every stage, by its name.
            step_seconds: duration of one of them, in s.
            batch_size: images in a step of all processes.
        """
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
        """Follow one step; called between two updates.

        Raises:
            InterruptedTrainingError: somebody asked to stop; everything is saved.
            StorageError: the disk refused; the last saved state is intact.
        """
        self._losses.append(loss)
        self._state.steps_done = steps_done
        self._progress.step(loss)
        for observer in self._observers:
            observer.step(self._stages[self._state.stage_index].name, steps_done, loss)
        if self._asked_to_stop():
            self._save()
            self._progress.close()
            raise InterruptedTrainingError(
                f"stopped; all work is saved in {self._folder.path}. Run the same command with "
                "--resume to go on."
            )
        if time.monotonic() - self._saved_at > SAVE_EVERY_S:
            self._save()

    def end(self) -> None:
        """Close the stage, save, and move on to the next.

        Raises:
            StorageError: the disk refused; the last saved state is intact.
        """
        self._progress.close()
        self._save()
        self._state.stage_index += 1
        self._state.steps_done = 0

    def _save(self) -> None:
        if not self._is_first:
            return
        now = time.monotonic()
        self._state.elapsed_s += now - self._saved_at
        self._saved_at = now
        stage = self._stages[self._state.stage_index]
        save_state(self._folder.state, self._state, self._system, stage.module, self._optimizer)
        self._folder.write_losses(self._state.losses)
