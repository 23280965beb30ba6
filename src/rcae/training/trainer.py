"""One training run, from a folder of good images to a calibrated model file."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from rcae.base.duration import spelled
from rcae.base.errors import InterruptedTrainingError
from rcae.base.interruption import stop_on_signal
from rcae.base.progress import say
from rcae.base.settings import DEFAULT_PRESET, Settings
from rcae.base.storage import write_text
from rcae.data.good_images import to_csv
from rcae.data.layouts.source import Data
from rcae.data.result_folders import require_apart
from rcae.detector.run.run_folder import RunFolder
from rcae.model.system import RcaeSystem
from rcae.training import plan
from rcae.training.finish import finish, finishing_seconds
from rcae.training.lock import sole_trainer
from rcae.training.loop import make_optimizer, run_stage
from rcae.training.observer import Observer
from rcae.training.plug_ins import plug_ins_of
from rcae.training.precision import require_runnable
from rcae.training.processes import ALONE, Processes, joined
from rcae.training.record import new_record
from rcae.training.request import Request
from rcae.training.session import Session
from rcae.training.stages import Stage, build_stages
from rcae.training.state import TrainingState, load_state, restore_optimizer
from rcae.training.training_data import GoodParts, open_good_parts, require_same_data
from rcae.training.whole_batch import normalise_over_processes


def train(
    data: Data,
    run: Path,
    request: Request,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
) -> None:
    """Train on the good images of `data`; the folder `run` gets everything.

    All processes of torchrun train one model, and see the same `data` and `run`.

    Args:
        data: one category, see `open_category`; a resumed run remembers the folders of its first start.
        run: a new or empty folder; with `resume`, the folder of an interrupted run.
        request: preset, changes to it, time budget and seed.
        resume: go on where the run stopped; the result is that of an uninterrupted run.
        observers: those that follow the training; what one raises ends it, resumable.

    Raises:
        UsageError, SettingsError: a wrong path, option or setting.
        DataError, ImageError: the good images cannot be trained on.
        StorageError: the disk refused; what was saved before is intact.
        InterruptedTrainingError: stopped on request; saved and resumable.
        TrainingError: the loss is no longer a number.
        RcaeError: another process that trains the same model has ended.
    """
    with joined() as processes:
        followers = observers if processes.is_first else ()
        _train(data, run, request, processes, followers, resume=resume)


def _train(
    data: Data,
    run: Path,
    request: Request,
    processes: Processes,
    observers: Sequence[Observer],
    *,
    resume: bool,
) -> None:
    started_at = time.perf_counter()
    folder = RunFolder(run)
    if resume and _is_finished(folder):
        return
    if resume:
        settings = request.settings_to_resume(folder)
    else:
        folder.require_free()
        settings = request.settings()
    source = folder.source_of(data)
    require_apart(run, source.read_folders)
    processes.require_equal_shares(settings.training.batch_size)
    require_runnable(settings.training, processes.device)
    plug_ins_of(settings)
    parts = open_good_parts(source, settings)
    if processes.is_first:
        what = "the run's settings" if resume else f"preset {request.preset or DEFAULT_PRESET}"
        say(f"{_beginning(parts, processes)}: {what}, seed {settings.seed}")
    if resume:
        require_same_data(parts, folder)
        step_seconds: dict[str, float] = {}
    else:
        settings, step_seconds = _planned(parts, settings, request, processes, started_at)
    with sole_trainer(folder) if processes.is_first else nullcontext():
        if resume and _is_finished(folder):  # by another process, while we read the images
            return
        if not resume and processes.is_first:
            folder.require_free()  # another process may have trained here while we measured
            write_text(folder.data, to_csv(parts.listed))
            record = new_record(request, settings, source, parts, step_seconds, processes.count)
            folder.write_record(record)
            folder.write_settings(settings)  # last: a run exists once its settings do
        processes.wait()
        settings = folder.read_settings()  # those that the first process planned
        for observer in observers:
            observer.begun(folder)
        system, state = _run(folder, parts, settings, processes, observers)
        if processes.is_first:
            finish(folder, parts, settings, system, state)
        for observer in observers:
            observer.finished(folder)
    processes.wait()


def _beginning(parts: GoodParts, processes: Processes) -> str:
    """Return what is trained on, and on which device."""
    device = torch.cuda.get_device_name() if processes.device.type == "cuda" else "the CPU"
    together = "" if processes.count == 1 else f", in {processes.count} processes,"
    return (
        f"training on {device}{together} with {len(parts.training)} good images of {parts.category.name}, "
        f"{len(parts.calibration)} more to calibrate"
    )


def _is_finished(folder: RunFolder) -> bool:
    """Tell if there is nothing to resume, and say so."""
    if folder.model.exists():
        say(f"{folder.path} is already finished; nothing to resume.")
    return folder.model.exists()


def _planned(
    parts: GoodParts,
    settings: Settings,
    request: Request,
    processes: Processes,
    started_at: float,
) -> tuple[Settings, dict[str, float]]:
    """Return the settings with the number of steps fixed, and the seconds that a step of each stage takes."""
    system, stages = _new_system(settings, parts, processes)  # thrown away after measuring
    measuring_s = min(plan.MEASURING_S, plan.MEASURING_SHARE * (request.budget_s or 0.0))
    step_seconds = plan.seconds_per_step(
        stages, settings, measuring_s=measuring_s, processes=processes
    )
    if not processes.is_first:  # measured together, planned by the first one alone
        return settings, step_seconds
    finishing_s = finishing_seconds(system, parts)
    if request.budget_s is None:
        steps = plan.steps_from_settings(settings, len(parts.training))
    else:
        other_s = finishing_s + time.perf_counter() - started_at
        steps = plan.steps_from_budget(settings, step_seconds, request.budget_s, other_s)
    left_s = finishing_s + sum(steps[name] * step_s for name, step_s in step_seconds.items())
    counts = " + ".join(str(steps[name]) for name in step_seconds)
    say(f"{counts} steps, ready in about {spelled(left_s)}")
    return plan.with_steps(settings, steps), step_seconds


def _run(
    folder: RunFolder,
    parts: GoodParts,
    settings: Settings,
    processes: Processes,
    observers: Sequence[Observer],
) -> tuple[RcaeSystem, TrainingState]:
    """Train the stages, from the saved state if there is one."""
    system, stages = _new_system(settings, parts, processes)
    state = TrainingState()
    tensors: dict[str, torch.Tensor] = {}
    if folder.state.exists():
        state, tensors = load_state(folder.state, system)
        say(f"resuming stage {state.stage_index + 1} at step {state.steps_done}")
    steps = plan.steps_from_settings(settings, len(parts.training))
    step_seconds = folder.read_record()["seconds_per_step"]
    with stop_on_signal() as stop:
        session = Session(
            folder,
            system,
            stages,
            state,
            is_first=processes.is_first,
            asked_to_stop=lambda: processes.any_says(stop.requested),
            observers=observers,
        )
        for stage in stages[state.stage_index :]:
            optimizer = make_optimizer(stage.module, settings)
            restore_optimizer(optimizer, stage.module, tensors)
            tensors = {}
            session.begin(optimizer, steps, step_seconds, settings.training.batch_size)
            try:
                run_stage(
                    stage,
                    optimizer,
                    settings,
                    first_step=state.steps_done,
                    steps=steps[stage.name],
                    after_step=session.after_step,
                    processes=processes,
                )
            except InterruptedTrainingError:
                processes.wait()  # once one process ends, torchrun ends the others
                raise
            session.end()
    return system, state


def _new_system(
    settings: Settings, parts: GoodParts, processes: Processes = ALONE
) -> tuple[RcaeSystem, list[Stage]]:
    """Fresh networks from the seed, on the GPU if there is one."""
    torch.manual_seed(settings.seed)
    system = RcaeSystem(settings.model)
    if processes.count > 1:
        normalise_over_processes(system, processes.count)
    system.ground.copy_(torch.from_numpy(parts.training.edge_colour)[:, None, None])
    system.to(processes.device).requires_grad_(False).eval()
    stages = build_stages(
        system, parts.training, settings, share=processes.share, average=processes.average
    )
    return system, stages
