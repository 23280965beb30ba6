"""Commands by what a user wants to do."""

from collections.abc import Mapping, Sequence

import click


class GroupedCommands(click.Group):
    """Group of commands whose help lists them under headings; a command is given with its heading."""

    def __init__(self, commands: Mapping[str, Sequence[click.Command]], **options: object) -> None:
        named = {str(one.name): one for group in commands.values() for one in group}
        super().__init__(commands=named, **options)  # type: ignore[arg-type]
        self._headings = commands

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands under their headings; hidden ones are left out."""
        width = max(map(len, self.commands))
        for heading, commands in self._headings.items():
            rows = [
                (
                    str(one.name).ljust(width),
                    one.get_short_help_str(limit=formatter.width - width - 6),
                )
                for one in commands
                if not one.hidden
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)
