"""`rcae demo`: all steps on real images, in minutes."""

from pathlib import Path

import click

from rcae.cli.options import PATH


@click.command()
@click.option("-o", "--output", type=PATH, default=Path("demo"), show_default=True)
def demo(output: Path) -> None:
    """Train and evaluate on real solar cells, and write a report; about ten minutes on two cores."""
    from rcae.study.demo import run_demo

    report = run_demo(output)
    click.echo(f"report: {report.resolve()}")
