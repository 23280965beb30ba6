"""Pages of the site that nobody writes: references, pictures, executed notebooks and the root's documents.

MkDocs calls the functions whose names begin with `on_`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from traitlets.config import Config

import rcae
from rcae.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
MADE = ROOT / "build" / "docs"
"""Folder to which `make docs` writes executed notebooks and pictures, before it builds the site."""
OF_THE_ROOT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
WIDTH = 80
"""Columns of a command's help."""
NOTEBOOK = re.compile(r"\]\(\.\./examples/(notebooks/[^)]+)\.ipynb\)")
LINK_OUT = re.compile(r"\[([^\]]+)\]\((\.\.|results)/[^)]+\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every page and picture that is made."""
    for name, content in _made_files():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to notebooks to their pages, and leave the text of links to what the site lacks."""
    return LINK_OUT.sub(r"\1", NOTEBOOK.sub(r"](\1.md)", markdown))


def _made_files() -> Iterator[tuple[str, str | bytes]]:
    yield "api.md", python_page()
    yield "commands.md", commands_page()
    for name in OF_THE_ROOT:
        text = (ROOT / name).read_text(encoding="utf-8")
        yield name.lower(), text.replace("](docs/", "](")
    for path in sorted((MADE / "pictures").glob("*.png")):
        yield f"pictures/{path.name}", path.read_bytes()
    for path in sorted((MADE / "notebooks").glob("*.ipynb")):
        yield from _notebook(path)


def python_page() -> str:
    """Return the page of everything that `import rcae` offers."""
    return "\n\n".join(["# Python", *(f"::: rcae.{name}" for name in dir(rcae))])


def commands_page() -> str:
    """Return the page of every command, as its `--help` prints it."""
    root = click.Context(cli, info_name="rcae", terminal_width=WIDTH, max_content_width=WIDTH)
    parts = ["# Commands", _help(root)]
    for heading, commands in COMMANDS.items():
        shown = [command for command in commands if not command.hidden]
        if shown:
            parts.append(f"## {heading}")
        for command in shown:
            parts.extend(_sections(command, root))
    return "\n\n".join(parts)


def _sections(command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(
        command,
        parent,
        command.name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=parent.help_option_names,
    )
    yield f"### {context.command_path}"
    yield _help(context)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _sections(below, context)


def _help(context: click.Context) -> str:
    return f"```text\n{context.get_help()}\n```"


def _notebook(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield the page of an executed notebook and the pictures of its cells."""
    notebook = nbformat.read(path, as_version=4)
    exporter = MarkdownExporter(config=Config({"CoalesceStreamsPreprocessor": {"enabled": True}}))
    body, resources = exporter.from_notebook_node(
        notebook, resources={"unique_key": path.stem, "output_files_dir": path.stem}
    )
    yield f"notebooks/{path.stem}.md", body
    for name, content in resources["outputs"].items():
        yield f"notebooks/{name}", content
