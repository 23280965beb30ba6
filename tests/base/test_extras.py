import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from rcae.base import extras
from rcae.base.errors import MissingExtraError
from rcae.base.extras import EXTRAS, install_command, require

NOT_INSTALLED = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, *rest):
        return None if name in {modules} else super().find_spec(name, *rest)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""


def without(modules, code):
    """Run Python code in a process where some modules are not to be found."""
    return subprocess.run(
        [sys.executable, "-c", f"{NOT_INSTALLED.format(modules=modules)}\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )


def command_without_torch(*arguments):
    code = f"sys.argv = {['rcae', *map(str, arguments)]}\nfrom rcae.cli.main import main\nmain()"
    return without(["torch", "safetensors"], code)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "{parts}", "-o", "{out}"],
        ["predict", "{run}", "{parts}", "-o", "{out}"],
        ["evaluate", "{run}", "{parts}", "-o", "{out}"],
        ["card", "{run}"],
        ["calibrate", "{run}", "{parts}"],
        ["restore", "{run}"],
        ["feedback", "add", "{run}", "{parts}", "--good"],
        ["feedback", "list", "{run}"],
        ["feedback", "apply", "{run}"],
        ["demo", "-o", "{out}"],
        ["benchmark", "{parts}", "-o", "{out}"],
        ["reproduce", "depth", "{parts}", "-o", "{out}"],
    ],
)
def test_a_command_that_needs_torch_says_how_to_get_it(arguments, parts, finished_run, tmp_path):
    places = {"parts": parts, "run": finished_run, "out": tmp_path / "out"}
    done = command_without_torch(*[argument.format(**places) for argument in arguments])
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"needs PyTorch; run: {install_command('train')}\n" in done.stderr
    assert not (tmp_path / "out").exists()


def test_images_are_examined_without_torch(parts):
    assert command_without_torch("doctor", parts).returncode == 0


def test_training_from_python_says_how_to_get_torch(tmp_path):
    done = without(["torch"], f"import rcae\nrcae.train('x', {str(tmp_path)!r})")
    assert "MissingExtraError: training needs PyTorch" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "purpose"),
    [
        (["keygen", "-o", "{out}/key"], "a signing key"),
        (
            ["predict", "{run}", "{parts}", "-o", "{out}", "--require-signature", "{out}/key.pub"],
            "verifying a signature",
        ),
    ],
)
def test_signing_says_how_to_get_cryptography(arguments, purpose, parts, finished_run, tmp_path):
    places = {"parts": parts, "run": finished_run, "out": tmp_path / "out"}
    words = ["rcae", *(argument.format(**places) for argument in arguments)]
    code = f"sys.argv = {words}\nfrom rcae.cli.main import main\nmain()"
    done = without(["cryptography"], code)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{purpose} needs cryptography; run: {install_command('sign')}\n" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("missing", "arguments", "message"),
    [
        (
            "ray",
            ["predict", "{run}", "{parts}", "-o", "{out}", "--ray", "local"],
            "--ray needs Ray",
        ),
        ("ray", ["train-many", "{parts}", "-o", "{out}", "--ray", "local"], "--ray needs Ray"),
        ("pyarrow", ["predict", "{run}", "{parts}", "-o", "{out}", "--shard", "1/2"], "PyArrow"),
        ("fsspec", ["predict", "{run}", "s3://bucket/a.png", "-o", "{out}"], "fsspec"),
    ],
)
def test_many_machines_say_what_to_install(
    missing, arguments, message, parts, finished_run, tmp_path
):
    places = {"parts": parts, "run": finished_run, "out": tmp_path / "out"}
    words = ["rcae", *(argument.format(**places) for argument in arguments)]
    done = without([missing], f"sys.argv = {words}\nfrom rcae.cli.main import main\nmain()")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert f"run: {install_command(EXTRAS[missing][0])}\n" in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_installed_is_not_refused():
    require("torch", "safetensors", purpose="this")


def test_every_extra_named_in_a_message_exists():
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {extra for extra, _ in EXTRAS.values()} <= project["optional-dependencies"].keys()


def test_the_message_names_package_and_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError) as refusal:
        require("onnxruntime", purpose="a.onnx")
    assert str(refusal.value) == f"a.onnx needs ONNX Runtime; run: {install_command('onnx')}"


def test_an_extra_is_added_to_the_repository_that_the_package_runs_from():
    assert install_command("train") == f'pip install -e "{Path(__file__).parents[2]}[train]"'


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "rcae[train]"),
        (
            {
                "url": "file:///sent/rcae-0.1.0-py3-none-any.whl",
                "archive_info": {"hash": "sha256=0"},
            },
            "rcae[train] @ file:///sent/rcae-0.1.0-py3-none-any.whl",
        ),
        ({"url": "file:///source/rcae", "dir_info": {}}, "rcae[train] @ file:///source/rcae"),
        (
            {"url": "https://x.example/rcae.git", "vcs_info": {"vcs": "git", "commit_id": "0ab"}},
            "rcae[train] @ git+https://x.example/rcae.git@0ab",
        ),
    ],
)
def test_elsewhere_an_extra_comes_from_where_the_package_came_from(
    origin, requirement, tmp_path, monkeypatch
):
    """A name that nobody has on an index, or somebody else, is not asked for there."""
    folder = tmp_path / "rcae-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: rcae\nVersion: 0.1.0\n")
    if origin is not None:
        (folder / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(extras, "SOURCE_TREE", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    command = install_command("train")
    assert command == f'pip install "{requirement}"'
    Requirement(shlex.split(command)[-1])


def test_no_other_place_writes_such_a_command():
    """A command written by hand is true for one kind of installation alone."""
    source = Path(extras.__file__).parents[1]
    written = [path.name for path in source.rglob("*.py") if "pip install" in path.read_text()]
    assert written == ["extras.py"]
