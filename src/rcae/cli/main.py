"""Entry point of the command line. Each command imports its heavy modules itself."""

import sys
from typing import NoReturn

import click

from rcae.base.errors import RcaeError
from rcae.base.progress import following
from rcae.base.storage import refusals_named
from rcae.cli.benchmark import benchmark
from rcae.cli.calibrate import calibrate
from rcae.cli.camera import camera
from rcae.cli.card import card
from rcae.cli.compare import compare
from rcae.cli.demo import demo
from rcae.cli.doctor import doctor
from rcae.cli.evaluate import evaluate
from rcae.cli.export import export
from rcae.cli.feedback import feedback
from rcae.cli.groups import GroupedCommands
from rcae.cli.history import history
from rcae.cli.info import info
from rcae.cli.keygen import keygen
from rcae.cli.merge import merge
from rcae.cli.monitor import monitor
from rcae.cli.predict import predict
from rcae.cli.reproduce import reproduce
from rcae.cli.resend import resend
from rcae.cli.restore import restore
from rcae.cli.run_cell import run_cell
from rcae.cli.run_job import run_job
from rcae.cli.serve import serve
from rcae.cli.train import train
from rcae.cli.train_many import train_many
from rcae.cli.verify import verify
from rcae.cli.watch import watch

EXAMPLES = """
\b
Examples:
  rcae demo                                   see it work on real solar cells, in ten minutes
  rcae doctor parts/                          is this folder fit for training and evaluation?
  rcae train parts/ -o runs/parts --budget 30m
  rcae train-many parts/ screws/ -o runs/ --seeds 0,1 --ray local
  rcae evaluate runs/parts parts/             measure on the test images, write a report
  rcae predict runs/parts new/ -o results/    inspect a folder
  rcae predict runs/parts archive/ -o results/ --shard 3/16    a share; 'rcae merge' joins all
  rcae calibrate runs/parts good-of-tuesday/ --false-alarm-rate 0.01
  rcae feedback add runs/parts new/7.png --good
  rcae monitor runs/parts results/predictions.jsonl
  rcae compare runs/parts runs/other parts/   is one better, or is it chance?
  rcae info runs/parts                        what is this model?
  rcae card runs/parts --sign line-3.key
  rcae export runs/parts --to onnx -o parts.onnx
  rcae serve runs/parts                       inspect over HTTP, with a page of what was found
  rcae watch incoming/ runs/parts             inspect every image that appears in a folder
  rcae camera video.mp4 runs/parts --every 1s
  rcae history --defective --month 2026-11 -o november.html
  rcae benchmark parts/ screws/ --models quick,autoencoder --budget 10m -o bench/
  rcae reproduce depth parts/ -o depth/       a table of the paper, on your own categories

\b
Completion of commands and options, in the startup file of the shell:
  eval "$(_RCAE_COMPLETE=bash_source rcae)"             ~/.bashrc; zsh_source in ~/.zshrc
  _RCAE_COMPLETE=fish_source rcae | source              ~/.config/fish/config.fish

\b
Exit codes:
  0 done   2 wrong option, path or setting   3 unusable images   4 damaged or unsigned model file
  5 disk full or not writable   6 training diverged   7 exported file differs from its run   8 scores drifted
  130 interrupted, resumable
"""


COMMANDS = {
    "Start": (demo, doctor),
    "Learn": (train, train_many, evaluate, calibrate, feedback, restore),
    "Inspect": (predict, merge, export, verify),
    "Trust": (info, card, keygen, compare, monitor),
    "Line": (serve, watch, camera, history, resend),
    "Study": (benchmark, reproduce, run_cell, run_job),
}
"""All commands, under the headings of the help."""


@click.command(
    cls=GroupedCommands,
    commands=COMMANDS,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="rcae", message="rcae %(version)s")
def cli() -> None:
    """Find and localise defects in industrial images, trained from scratch on good images only."""


def main() -> NoReturn:
    """Run the command line; turn every error that a user can cause into one sentence and an exit code."""
    try:
        with refusals_named(), following(is_command=True):
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
    """Return click's message on a wrong option, with the command that prints the help."""
    message = error.format_message()
    stop = "" if message.endswith((".", "?")) else "."
    command = (
        error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "rcae"
    )
    return f"{message}{stop} See '{command} --help'."


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"rcae: error: {message}", err=True)
    sys.exit(exit_code)
