"""Number of steps of each stage: from epochs, from steps, or from a time budget."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from rcae.base.duration import spelled
from rcae.base.errors import UsageError
from rcae.base.settings import Settings, StageSettings
from rcae.training.loop import batches, make_optimizer, train_step
from rcae.training.processes import ALONE, Processes
from rcae.training.stages import Stage

MEASURING_S = 3.0
"""Longest time spent on measuring each stage when a budget depends on it."""
MEASURING_SHARE = 1 / 60
"""Largest share of a budget for measuring each stage; a hopeless budget is refused early (our choice)."""

LEAST_MARGIN = 1.2
"""Factor of the least budget that is named over the time that was measured (our choice)."""

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
        ImageError, TrainingError, RcaeError: see `train_step` and `draw_batch`.
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
    settings: Settings, step_seconds: Mapping[str, float], budget_s: float, other_s: float
) -> dict[str, int]:
    """Steps of each measured stage, by its name; together they fill the time.

    Args:
        settings: the `time_share` of each stage counts.
        step_seconds: duration of one step of each stage, in s.
        budget_s: the time for the whole run, in s.
        other_s: the time that reading, measuring and the end of the run take of it, in s.

    Raises:
        UsageError: the time does not reach for one step of each stage; the error names a budget that does.
    """
    shares = {name: _stage_settings(settings)[name].time_share for name in step_seconds}
    total = sum(shares.values())
    available_s = budget_s - other_s
    steps = {
        name: int(available_s * shares[name] / total / step_seconds[name]) for name in step_seconds
    }
    if min(steps.values()) < 1:
        one_step_each_s = max(step_seconds[name] * total / shares[name] for name in step_seconds)
        least_s = LEAST_MARGIN * (other_s + one_step_each_s) + MEASURING_S * len(step_seconds)
        raise UsageError(
            f"a budget of {budget_s:g} s leaves {max(available_s, 0):.0f} s for training, too little for one "
            "step of each stage; the least that works with these images on this machine is "
            f"--budget {spelled(least_s)}."
        )
    return steps


def with_steps(settings: Settings, steps: Mapping[str, int]) -> Settings:
    """Return the settings with the length of these stages fixed, so that the run can be repeated."""
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
