"""The commands `rcae export` and `rcae verify`, added to the others by `rcae.cli`."""

from pathlib import Path
from typing import Literal

import click

from rcae.cli_types import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option("--to", "target", type=click.Choice(["onnx", "openvino"]), required=True)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="fp16: weights in half the bytes. int8: convolutions in 8 bits.",
)
@click.option("--good", type=PATH, help="Good images that int8 takes its ranges from.")
@click.option("-o", "--output", "file", type=PATH, required=True, help="The file: .onnx or .xml.")
def export(
    run: Path,
    target: Literal["onnx", "openvino"],
    precision: Literal["fp32", "fp16", "int8"],
    good: Path | None,
    file: Path,
) -> None:
    """Write the model of RUN for another runtime, pre- and post-processing inside.

    \b
      rcae export runs/parts --to onnx -o parts.onnx
      rcae export runs/parts --to openvino --precision int8 --good parts/ -o parts.xml
    """
    from rcae.detector.export.run_export import export_run

    export_run(run, target, precision, good, file)
    click.echo(f"model: {file}; compare it with 'rcae verify {run} {file} IMAGES'", err=True)


@click.command()
@click.argument("run", type=PATH)
@click.argument("file", type=PATH)
@click.argument("paths", nargs=-1, required=True, metavar="IMAGES...")
def verify(run: Path, file: Path, paths: tuple[str, ...]) -> None:
    """Compare an exported FILE with its RUN on your own images, in every runtime installed.

    IMAGES are files, folders or globs, or one category with test images, whose labels then also give
    the AUROC of both. Exit code 7 if scores or maps differ beyond the tolerance or a decision flips.
    """
    from rcae.evaluation.verify import TOLERANCES, require_agreement, table, verify_export

    record, found = verify_export(run, file, paths)
    click.echo(table(found))
    require_agreement(file, found, TOLERANCES[record.precision])
