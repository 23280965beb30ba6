"""`rcae export`: a run for another runtime."""

from pathlib import Path
from typing import Literal

import click

from rcae.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option("--to", "target", type=click.Choice(["onnx", "openvino"]), required=True)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="fp16 halves the bytes of the weights. int8 computes convolutions in 8 bits.",
)
@click.option("--good", type=PATH, help="Good images that set the ranges of int8.")
@click.option(
    "-o", "--output", "file", type=PATH, required=True, help="File to write: .onnx or .xml."
)
def export(
    run: Path,
    target: Literal["onnx", "openvino"],
    precision: Literal["fp32", "fp16", "int8"],
    good: Path | None,
    file: Path,
) -> None:
    """Write the model of RUN for another runtime, including pre- and post-processing.

    \b
      rcae export runs/parts --to onnx -o parts.onnx
      rcae export runs/parts --to openvino --precision int8 --good parts/ -o parts.xml
    """
    from rcae.api import inspecting

    inspecting.export(run, file, to=target, precision=precision, good=good)
    click.echo(f"model: {file}; compare it with 'rcae verify {run} {file} IMAGES'", err=True)
