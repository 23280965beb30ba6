"""`rcae info` says what a model is, and the help lists every command once under a heading."""

import json

import click
import pytest

from rcae.cli.main import COMMANDS, cli
from rcae.detector.detector import Detector


@pytest.mark.parametrize("is_exported", [False, True])
def test_a_model_says_what_it_is(rcae, finished_run, is_exported, tmp_path):
    model = finished_run
    if is_exported:
        model = tmp_path / "model.onnx"
        assert rcae("export", finished_run, "--to", "onnx", "-o", model)[0] == 0
    code, out, _ = rcae("info", model)
    assert code == 0
    detector = Detector.load(finished_run)
    for words in (
        "Image sizes        40x40 px; others by more than 1.5 are refused",
        detector.runner.weights_sha256,
        detector.calibration.promise,
        "memory of good patches",
        "EfficientNet-Lite0",
    ):
        assert words in out
    assert json.loads(rcae("info", model, "--json")[1])["Category"] == "parts"


def test_info_on_something_else_is_one_sentence(rcae, tmp_path):
    code, out, err = rcae("info", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"rcae: error: {tmp_path}")


def test_every_command_stands_under_one_heading(rcae):
    listed = [command for commands in COMMANDS.values() for command in commands]
    assert sorted(cli.commands) == sorted(command.name for command in listed)
    code, out, _ = rcae("--help")
    assert code == 0
    for heading, commands in COMMANDS.items():
        assert f"\n{heading}:\n" in out
        for command in commands:
            shown = out.count(f"\n  {command.name} ")
            assert shown == (0 if command.hidden else 1)


def test_a_mistyped_command_suggests_the_right_one(rcae):
    code, _, err = rcae("trian")
    assert code == 2
    assert "'train'" in err
    assert isinstance(cli, click.Group)
