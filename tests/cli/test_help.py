"""Each command shows how it is used, and a shell completes it."""

import re
import shlex

import click
import pytest

from rcae.cli import main as cli


def commands(group, path=("rcae",)):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif not command.hidden:
            yield pytest.param((*path, name), command, id=" ".join((*path, name)))


@pytest.mark.parametrize(("path", "command"), [*commands(cli.cli)])
def test_every_command_has_an_example_that_it_understands(path, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = re.escape(" ".join(path))
    examples = re.findall(rf"^ +({start} .*|{start})$", command.help, re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(re.split(r" {3,}", example)[0])[len(path) :]
        command.make_context(path[-1], words)


def test_a_shell_completes_commands(monkeypatch, capsys):
    monkeypatch.setenv("_RCAE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "rcae tra")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        cli.cli.main([], prog_name="rcae")
    assert capsys.readouterr().out.split() == ["plain,train", "plain,train-many"]


def test_a_wrong_command_and_option_get_the_right_one(rcae):
    assert "'train'" in rcae("trian", "parts")[2]
    assert "'--budget'" in rcae("train", "parts", "--budgte", "3m")[2]
