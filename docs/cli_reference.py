"""Writes docs/cli.md from the commands themselves: python docs/cli_reference.py."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from rcae.cli.main import cli

DOCUMENT = Path(__file__).parent / "cli.md"
HEADING = """\
# Commands

`python docs/cli_reference.py` writes this page from the commands. A test compares both.
"""
WIDTH = 100
SHARED_BY = 3
"""Number of commands from which an option that is the same in all stands in a section of its own."""


def reference() -> str:
    """The page: every command with its help, and every option with its help and default."""
    root = click.Context(cli, info_name="rcae", terminal_width=WIDTH, max_content_width=WIDTH)
    sections = [HEADING, f"```text\n{_exit_codes(root)}\n```\n"]
    commands = list(_commands(root))
    counts = Counter(item for context in commands for item in _items(context).values())
    shared = [item for item, count in counts.items() if count >= SHARED_BY]
    sections += [_section(context, shared) for context in commands]
    sections += ["\n".join(["## Shared options", "", *shared, ""])]
    return "\n".join(sections)


def _exit_codes(root: click.Context) -> str:
    """The end of `rcae --help`; the examples before it stand with the commands."""
    formatter = root.make_formatter()
    cli.format_epilog(root, formatter)
    lines = [line.removeprefix("  ") for line in formatter.getvalue().strip("\n").split("\n")]
    return "\n".join(lines[lines.index("Exit codes:") :])


def _commands(parent: click.Context) -> Iterator[click.Context]:
    """A context for each visible command below `parent`, those of groups included."""
    assert isinstance(parent.command, click.Group)
    for name, command in sorted(parent.command.commands.items()):
        if command.hidden:
            continue
        context = click.Context(
            command, parent, name, terminal_width=WIDTH, max_content_width=WIDTH
        )
        yield context
        if isinstance(command, click.Group):
            yield from _commands(context)


def _section(context: click.Context, shared: list[str]) -> str:
    lines = [f"## {context.command_path}", "", "```text", _usage_and_help(context), "```", ""]
    items = _items(context)
    own = [item for item in items.values() if item not in shared]
    if names := [f"`{name}`" for name, item in items.items() if item in shared]:
        own.append(f"- [Shared](#shared-options): {', '.join(names)}")
    if own:
        lines += [*own, ""]
    return "\n".join(lines)


def _items(context: click.Context) -> dict[str, str]:
    """The line of each option, by the option's longest name."""
    options = [option for option in context.command.params if isinstance(option, click.Option)]
    return {max(option.opts, key=len): _item(option, context) for option in options}


def _usage_and_help(context: click.Context) -> str:
    formatter = context.make_formatter()
    context.command.format_usage(context, formatter)
    context.command.format_help_text(context, formatter)
    return "\n".join(line.rstrip() for line in formatter.getvalue().rstrip().split("\n"))


def _item(option: click.Option, context: click.Context) -> str:
    names = ", ".join(option.opts)
    if option.secondary_opts:
        names += " / " + ", ".join(option.secondary_opts)
    if not option.is_flag:
        names += f" {option.make_metavar(context)}"
    facts = [fact for fact in (_default(option), _environment(option)) if fact]
    in_brackets = f" ({', '.join(facts)})" if facts else ""
    return (
        f"- `{names}`{in_brackets}: {option.help}" if option.help else f"- `{names}`{in_brackets}"
    )


def _default(option: click.Option) -> str:
    default = option.to_info_dict()["default"]
    if option.required:
        return "required"
    if option.is_flag or default in (None, ()):
        return ""
    if isinstance(default, list | tuple):
        default = ",".join(map(str, default))
    return f"default `{default}`"


def _environment(option: click.Option) -> str:
    return f"or `{option.envvar}`" if option.envvar else ""


if __name__ == "__main__":
    DOCUMENT.write_text(reference(), encoding="utf-8")
