"""`rcae demo`: all steps on real images, in minutes."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.option("-o", "--output", type=PATH, default=Path("demo"), show_default=True)
def demo(output: Path) -> None:
    """Find clearly defective solar cells after training on good ones; about ten minutes on two cores.

    The images are real, and a report shows pictures of what was found.

    \b
      rcae demo -o demo/
    """
    from rcae.study.demo import run_demo

    report = run_demo(output)
    click.echo(f"report: {report.resolve()}")
