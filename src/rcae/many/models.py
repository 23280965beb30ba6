"""Many models: one training and evaluation for each category and seed, each in a process of its own."""

from collections.abc import Sequence
from pathlib import Path

from rcae.base.errors import UsageError
from rcae.base.progress import say, shown
from rcae.base.settings import DEFAULT_PRESET, load_settings
from rcae.data.layouts.category import open_category
from rcae.many.cluster import Needs, require_ray
from rcae.many.commands import Command, Ended, run_commands
from rcae.many.job import Job, JobFolder, Outcome
from rcae.many.models_report import write_report


def train_many(
    data: Sequence[Path],
    seeds: Sequence[int],
    output: Path,
    *,
    preset: str | None = None,
    settings_file: Path | None = None,
    values: Sequence[str] = (),
    needs: Needs,
    address: str | None = None,
) -> list[Outcome]:
    """Train and evaluate a model for each category and seed; finished ones are kept, begun ones resumed.

    A failed model stops no other. `models.csv` and `models.html` are written anew after each one.

    Args:
        data: category folders.
        seeds: seeds of the training.
        output: folder of the models: `<category>/seed-<n>` is a run folder.
        preset: one of `PRESETS`; None is `quick`.
        settings_file: TOML file that changes the preset.
        values: single changes.
        needs: resources of one training.
        address: address of a Ray cluster; None trains on this machine.

    Raises:
        UsageError, SettingsError: a wrong path or setting; the folder was begun with other options.
        DataError: a folder is no category.
        MissingExtraError: Ray is not installed.
        StorageError: the disk refused.
    """
    if address is not None:
        require_ray()
    load_settings(preset or DEFAULT_PRESET, file=settings_file, values=values)
    file = None if settings_file is None else str(settings_file.absolute())
    roots = [open_category(path).root.resolve() for path in data]
    names = [root.name for root in roots]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two of the categories have the same name ({', '.join(sorted(names))}); rename a folder."
        )
    output = output.absolute()
    jobs = {}
    for root in roots:
        for seed in seeds:
            run = output / root.name / f"seed-{seed}"
            folder = JobFolder(output / "jobs" / f"{root.name}-seed-{seed}")
            jobs[folder] = Job(str(root), seed, preset, file, tuple(values), str(run))
            folder.write(jobs[folder])
    return _run_jobs(jobs, output, needs, address)


def _run_jobs(
    jobs: dict[JobFolder, Job], output: Path, needs: Needs, address: str | None
) -> list[Outcome]:
    outcomes = {
        folder: folder.read_outcome()
        or Outcome(category=job.category, seed=job.seed, state="waiting", run=job.run)
        for folder, job in jobs.items()
    }
    commands = {
        Command(("run-job", str(folder.path)), folder.log): folder
        for folder, outcome in outcomes.items()
        if outcome.state == "waiting"
    }
    say(f"{len(commands)} of {len(jobs)} models to train")
    write_report(output, list(outcomes.values()))
    ended = run_commands(list(commands), needs, address)
    for command, end in shown(ended, "training", total=len(commands)):
        folder = commands[command]
        outcomes[folder] = _outcome(folder, outcomes[folder], end)
        write_report(output, list(outcomes.values()))
    return list(outcomes.values())


def _outcome(folder: JobFolder, waiting: Outcome, ended: Ended) -> Outcome:
    found = folder.read_outcome()
    if found is not None:
        return found
    say(f"{waiting.category}, seed {waiting.seed} failed: {ended.last_line}")
    return waiting.model_copy(update={"state": "failed", "reason": ended.last_line})
