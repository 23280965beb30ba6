"""The command line: parse, call, print. Heavy modules are imported by the command that needs them."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from rcae.base.errors import ImageError, RcaeError
from rcae.base.storage import refusals_named
from rcae.cli_benchmark import benchmark, reproduce, run_cell
from rcae.cli_calibration import calibrate, restore
from rcae.cli_card import card, keygen, require_signature
from rcae.cli_compare import compare
from rcae.cli_export import export, verify
from rcae.cli_feedback import feedback
from rcae.cli_history import history
from rcae.cli_monitor import monitor
from rcae.cli_serve import serve
from rcae.cli_types import FOLDER, PATH, Duration
from rcae.cli_watch import camera, watch

EXAMPLES = """
\b
Examples:
  rcae demo                                   see it work on real solar cells, in ten minutes
  rcae doctor parts/                          is this folder fit for training and evaluation?
  rcae train parts/ -o runs/parts --budget 30m
  rcae evaluate runs/parts parts/             measure on the test images, write a report
  rcae predict runs/parts new/ -o results/    inspect a folder
  rcae calibrate runs/parts good-of-tuesday/ --false-alarm-rate 0.01
  rcae feedback add runs/parts new/7.png --good
  rcae monitor runs/parts results/predictions.jsonl
  rcae compare runs/parts runs/other parts/   is one better, or is it chance?
  rcae card runs/parts --sign line-3.key
  rcae export runs/parts --to onnx -o parts.onnx
  rcae serve runs/parts                       inspect over HTTP, with a page of what was found
  rcae watch incoming/ runs/parts             inspect every image that appears in a folder
  rcae camera video.mp4 runs/parts --every 1s
  rcae history --defective --month 2026-11 -o november.html
  rcae benchmark parts/ screws/ --models quick,autoencoder --budget 10m -o bench/
  rcae reproduce depth parts/ -o depth/       a table of the paper, on your own categories

\b
Exit codes:
  0 done   2 wrong option, path or setting   3 unusable images   4 damaged or unsigned model file
  5 disk full or not writable   6 training diverged   7 exported file differs from its run   8 scores drifted
  130 interrupted, resumable
"""


@click.group(
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="rcae", message="rcae %(version)s")
def cli() -> None:
    """Find and localise defects in industrial images, trained from scratch on good images only."""


@cli.command()
@click.argument("data", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(data: Path, as_json: bool) -> None:
    """Look at every image and mask of DATA once and list what is wrong.

    DATA is one category: MVTec AD layout, VisA (raw or reorganised), or a plain folder of good
    images. Exit code 0 only when training and evaluation can run.
    """
    from rcae.base.progress import shown
    from rcae.data.doctor.examine import describe, examine

    diagnosis = examine(data, progress=lambda items: shown(items, "examining"))
    click.echo(_json(diagnosis.to_json()) if as_json else describe(diagnosis))
    sys.exit(0 if diagnosis.ok else ImageError.exit_code)


@cli.command()
@click.argument("data", type=PATH)
@click.option("-o", "--output", "run", type=PATH, required=True, help="The run folder to make.")
@click.option(
    "--preset", help="quick: two CPU cores (default). standard: one GPU. paper: the paper's."
)
@click.option("--budget", "budget_s", type=Duration(), help="Total time, like 10m or 1h30m.")
@click.option("--seed", type=int, help="Repeats a run; 0 unless given.")
@click.option("--config", "settings_file", type=PATH, help="TOML file with settings to change.")
@click.option("--set", "values", multiple=True, metavar="KEY=VALUE", help="Change one setting.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run in the run folder.")
def train(
    data: Path,
    run: Path,
    preset: str | None,
    budget_s: float | None,
    seed: int | None,
    settings_file: Path | None,
    values: tuple[str, ...],
    resume: bool,
) -> None:
    """Train on the good images of DATA; everything about the run goes to its folder.

    \b
      rcae train parts/ -o runs/parts                     the quick preset
      rcae train parts/ -o runs/parts --budget 30m        as many steps as fit in 30 minutes
      rcae train parts/ -o runs/parts --resume            after Ctrl-C or a power cut
      rcae train parts/ -o runs/n3 --set model.recursion_depth=3
    """
    from rcae.training.request import Request
    from rcae.training.trainer import train as train_run

    train_run(data, run, Request(preset, budget_s, seed, settings_file, values), resume=resume)


@cli.command()
@click.argument("run", type=PATH)
@click.argument("data", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("-o", "--output", type=FOLDER, help="Where to write; RUN/evaluation unless given.")
@require_signature
def evaluate(
    run: Path, data: Path, as_json: bool, output: Path | None, public_key: Path | None
) -> None:
    """Score the test images of DATA with RUN; write report.html, metrics.json and scores.csv."""
    from rcae.detector.detector import Detector
    from rcae.evaluation.evaluate import evaluate_model
    from rcae.evaluation.evaluate_report import table, write_evaluation

    detector = Detector.load(run, require_signature=public_key)
    evaluation = evaluate_model(run, detector, data)
    folder = output or (run if run.is_dir() else run.parent) / "evaluation"
    report = write_evaluation(folder, evaluation, detector)
    click.echo(_json(evaluation.to_json()) if as_json else table(evaluation))
    click.echo(f"report: {report}", err=True)


@cli.command()
@click.argument("run", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-o", "--output", type=PATH, required=True, help="A folder for the results.")
@click.option("--overlays", is_flag=True, help="Also write each image under its heatmap.")
@click.option("--maps", is_flag=True, help="Also write each anomaly map as float32 .npy.")
@require_signature
def predict(
    run: Path,
    paths: tuple[str, ...],
    output: Path,
    overlays: bool,
    maps: bool,
    public_key: Path | None,
) -> None:
    """Inspect images: files, folders or globs in, predictions.csv and predictions.jsonl out.

    An unreadable image gets a row with its error and does not stop the others; the exit code is
    then 3.
    """
    from rcae.data.layouts.category import expand_paths
    from rcae.detector.detector import Detector
    from rcae.detector.prediction import predict_files

    files = expand_paths(paths)
    detector = Detector.load(run, require_signature=public_key)
    counts = predict_files(detector, files, output, overlays=overlays, maps=maps)
    click.echo(f"{counts.good} good, {counts.defective} defective: {output / 'predictions.csv'}")
    if counts.unreadable:
        raise ImageError(
            f"{counts.unreadable} of {len(files)} images could not be inspected; the column 'error' "
            f"of {output / 'predictions.csv'} says why."
        )


@cli.command()
@click.option("-o", "--output", type=PATH, default=Path("demo"), show_default=True)
def demo(output: Path) -> None:
    """Train and evaluate on real solar cells, and leave a report; about ten minutes on two cores."""
    from rcae.study.demo import run_demo

    report = run_demo(output)
    click.echo(f"report: {report.resolve()}")


for command in (
    benchmark,
    calibrate,
    camera,
    card,
    compare,
    export,
    feedback,
    history,
    keygen,
    monitor,
    reproduce,
    restore,
    run_cell,
    serve,
    verify,
    watch,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Entry point: every error a user can cause becomes one sentence and an exit code."""
    try:
        with refusals_named():
            cli.main(standalone_mode=False)
        sys.exit(0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_one_sentence(error), error.exit_code)
    except RcaeError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted.", 130)


def _one_sentence(error: click.ClickException) -> str:
    """What click says of a wrong option, and where to read on."""
    message = error.format_message()
    stop = "" if message.endswith((".", "?")) else "."
    command = (
        error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "rcae"
    )
    return f"{message}{stop} See '{command} --help'."


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"rcae: error: {message}", err=True)
    sys.exit(exit_code)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
