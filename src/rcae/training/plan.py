"""How many steps each stage gets: from epochs, from steps, or from a time budget."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from rcae.base.errors import UsageError
from rcae.base.settings import Settings, StageSettings
from rcae.training.loop import batches, make_optimizer, train_step
from rcae.training.processes import ALONE, Processes
from rcae.training.stages import Stage

MEASURING_S = 3.0
"""Time spent on measuring each stage when a budget depends on it."""

MOST_MEASURED = 1000
"""Steps of each stage that are measured, warming up included."""


def seconds_per_step(
    stages: Sequence[Stage],
    settings: Settings,
    *,
    measuring_s: float,
    processes: Processes = ALONE,
) -> dict[str, float]:
    """Seconds that a step of each stage takes, by its name: the median of at least two, warmed up.

    Compiled networks warm up with a step of each depth. Each depth compiles once, for the training that
    follows as well.

    Args:
        stages: their networks are trained, and of no use afterwards.
        settings: those of the training to come.
        measuring_s: time to spend on each stage, in s.
        processes: those that train, and so measure, together.

    Raises:
        ImageError, TrainingError, RcaeError: as `train_step` and the drawing of batches raise.
    """
    return {stage.name: _measure(stage, settings, measuring_s, processes) for stage in stages}


def _measure(stage: Stage, settings: Settings, measuring_s: float, processes: Processes) -> float:
    stage.module.requires_grad_(True).train()
    optimizer = make_optimizer(stage.module, settings)
    drawn = batches(stage, 0, MOST_MEASURED, processes)
    deepest = settings.model.recursion_depth
    for depth in range(1 if settings.training.compiled else deepest, deepest + 1):
        train_step(stage, replace(next(drawn), depth=depth), optimizer, settings, processes)
    durations_s: list[float] = []
    started_at = step_at = time.perf_counter()
    for batch in drawn:
        train_step(stage, batch, optimizer, settings, processes)
        now = time.perf_counter()
        durations_s.append(now - step_at)
        step_at = now
        if not processes.any_says(len(durations_s) < 2 or now - started_at < measuring_s):
            break
    stage.module.requires_grad_(False).eval()
    return median(durations_s)


def steps_from_settings(settings: Settings, image_count: int) -> dict[str, int]:
    """Steps of every stage, by its name; an epoch is every training image once."""
    batch_size = settings.training.batch_size

    def steps(stage: StageSettings) -> int:
        if stage.steps is not None:
            return stage.steps
        assert stage.epochs is not None  # the settings allow nothing else
        return math.ceil(stage.epochs * image_count / batch_size)

    return {name: steps(stage) for name, stage in _stage_settings(settings).items()}


def steps_from_budget(
    settings: Settings, step_seconds: Mapping[str, float], available_s: float
) -> dict[str, int]:
    """Steps of each measured stage, by its name; together they fill the time.

    Args:
        settings: the `time_share` of each stage counts.
        step_seconds: how long a step of each stage takes, in s.
        available_s: the time for all stages, in s.

    Raises:
        UsageError: the time does not reach for one step of each stage.
    """
    shares = {name: _stage_settings(settings)[name].time_share for name in step_seconds}
    total = sum(shares.values())
    steps = {
        name: int(available_s * shares[name] / total / step_seconds[name]) for name in step_seconds
    }
    if min(steps.values()) < 1:
        raise UsageError(
            f"the budget leaves {max(available_s, 0):.0f} s for training, too little for one step of "
            "each stage on this machine; give a larger --budget."
        )
    return steps


def with_steps(settings: Settings, steps: Mapping[str, int]) -> Settings:
    """The settings with the length of these stages fixed, so that the run can be repeated."""
    stages = {
        name: stage.model_copy(update={"epochs": None, "steps": steps[name]})
        for name, stage in _stage_settings(settings).items()
        if name in steps
    }
    return settings.model_copy(update={"training": settings.training.model_copy(update=stages)})


def _stage_settings(settings: Settings) -> dict[str, StageSettings]:
    training = settings.training
    return {
        "reconstruction": training.reconstruction,
        "detail": training.detail,
        "detection": training.detection,
    }
