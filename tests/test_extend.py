"""The package that `docs/extend.md` shows, installed as any other, changes one idea of each kind."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from safetensors import safe_open

from rcae.base.errors import PlugInError
from rcae.base.plug_ins import Table
from tests.conftest import TINY

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"
VALUES = (
    *TINY,
    "model.restoration=false",
    "model.evidence=['redness']",
    "training.detection_loss=dice",
    "training.pseudo_anomalies=['bars']",
    "model.patch_memory=false",
    "training.plain_first=false",
    "training.anomalous_share=1",
)


def install(folder, name, code, groups):
    """Lay a package and its metadata into a folder, as `pip install` does."""
    folder.mkdir()
    (folder / f"{name.replace('-', '_')}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The package of the page."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    project = tomllib.loads(next(text for kind, text in blocks if kind == "toml"))["project"]
    code = "\n".join(text for kind, text in blocks if kind == "python")
    folder = tmp_path_factory.mktemp("site") / "packages"
    return install(folder, project["name"], code, project["entry-points"])


def python(code, *packages):
    """Run Python code in a process where packages of these folders are installed."""
    paths = f"import sys; sys.path += {[str(package) for package in packages]}\n"
    return subprocess.run(
        [sys.executable, "-c", paths + code], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def fine(parts, tmp_path_factory):
    """A category whose tree no built-in layout knows."""
    root = tmp_path_factory.mktemp("data") / "fine-parts"
    shutil.copytree(parts / "train" / "good", root / "fine")
    shutil.copytree(parts / "test" / "scratch", root / "broken")
    return root


@pytest.fixture(scope="module")
def run(mine, fine, tmp_path_factory):
    """A run of the command with everything of the package that training can use."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    options = [word for value in VALUES for word in ("--set", value)]
    words = ["rcae", "train", str(fine), "-o", str(folder), *options]
    done = python(f"sys.argv = {words}\nfrom rcae.cli.main import main\nmain()", mine)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_package_adds_a_layout_and_evidence_to_a_run(run):
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["layout"] == "fine"
    assert [one["name"] for one in record["evidence"]][-1] == "redness"


def test_the_model_file_names_the_packages_that_it_needs(run):
    with safe_open(run / "model.safetensors", framework="np") as file:
        header = json.loads(file.metadata()["rcae"])["header"]
    assert header["settings"]["model"]["evidence"] == ["redness"]
    assert header["provenance"]["plug_ins"] == {
        "loss dice": "rcae-mine 0.1",
        "pseudo anomaly bars": "rcae-mine 0.1",
        "evidence redness": "rcae-mine 0.1",
    }


STAGE_3 = """
from rcae.detector.run.checkpoint import load_model
from rcae.training import drawn
from rcae.training.request import Request
from rcae.training.stages import build_stages
from rcae.training.training_data import open_good_parts
settings = Request(values={values}).settings()
system = load_model(Path(run) / "model.safetensors").system
stage = build_stages(system, open_good_parts(Path(data), settings).training, settings)[2]
drawn.SEAM_SHARE = 0
batch = stage.draw(0)
share = batch.mask.mean(dim=2)
assert batch.mask.any() and (share % 1 == 0).all()  # whole rows
anomaly_map = system.detect(batch.image)
assert stage.loss(batch) == rcae_mine.dice(anomaly_map, batch.mask, averaged=lambda mean: mean)
"""
CONTENDER = """
from rcae.study.contenders import CONTENDERS
from rcae.study.request import CellRequest
cell = CellRequest("", data, "dice", 0, None, {values})
assert CONTENDERS["dice"].train(cell, Path({folder})).header.plug_ins == {{"loss dice": "rcae-mine 0.1"}}
"""


def test_with_the_package_its_loss_painter_evidence_and_contender_are_what_runs(
    mine, run, fine, tmp_path
):
    begin = f"""
from pathlib import Path
import rcae, rcae_mine
run, data = {str(run)!r}, {str(fine)!r}
assert rcae.Detector.load(run).predict(data + "/broken/000.png").is_defective
"""
    code = begin + STAGE_3.format(values=VALUES)
    code += CONTENDER.format(
        values=(*TINY, "model.patch_memory=false"), folder=repr(str(tmp_path / "cell"))
    )
    code += "from rcae.cli.main import cli\ncli(['info', run])"
    done = python(code, mine)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Plug-ins .*evidence redness of rcae-mine 0\.1", done.stdout, re.MULTILINE)
    assert re.search(r"^Evidence .*, redness$", done.stdout, re.MULTILINE)


def test_without_the_package_the_model_is_refused_by_name(rcae, run, fine, tmp_path):
    code, _, err = rcae("predict", run, fine / "broken", "-o", tmp_path / "out")
    assert code == 2
    assert err.count("\n") == 1
    assert "model.safetensors was trained with plug-ins" in err
    assert "evidence redness of rcae-mine 0.1" in err
    assert "evidence 'redness' is not known" in err


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "training.detection_loss=dise",
            "loss 'dise' is not known; choose from squared_error, cross",
        ),
        ("training.pseudo_anomalies=['x']", "pseudo anomaly 'x' is not known; choose from mixed"),
        ("model.evidence=['x']", "evidence 'x' is not known; choose from feature_distance, patch"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_is_read(rcae, parts, tmp_path, value, message):
    code, _, err = rcae("train", parts, "-o", tmp_path / "run", "--set", value)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


@pytest.fixture
def table(monkeypatch, tmp_path):
    """Make a table for which packages with these entry points are installed, by the package's name."""

    def make(**packages):
        for name, (code, entries) in packages.items():
            folder = install(tmp_path / name, name, code, {"rcae.numbers": entries})
            monkeypatch.syspath_prepend(folder)
        return Table("number", "rcae.numbers", int, {"one": 1})

    return make


def test_a_plug_in_is_imported_only_when_its_name_is_asked_for(table):
    numbers = table(
        worse=("raise OSError('no')", {"three": "worse:n"}), fair=("n = 2", {"two": "fair:n"})
    )
    assert numbers.names == ["one", "three", "two"]
    assert (numbers["one"], numbers["two"]) == (1, 2)
    assert (numbers.origin("one"), numbers.origin("two")) == (None, "fair 0.1")
    with pytest.raises(PlugInError, match=r"'three' of worse 0\.1 cannot be loaded.*OSError: no"):
        numbers["three"]


def test_a_plug_in_of_the_wrong_type_is_refused(table):
    numbers = table(wordy=("n = 'two'", {"two": "wordy:n"}))
    with pytest.raises(PlugInError, match=r"'two' of wordy 0\.1 is a str; wordy:n must be a int"):
        numbers["two"]


@pytest.mark.parametrize(("name", "other"), [("one", "rcae"), ("two", r"(here|there) 0\.1")])
def test_a_name_that_two_packages_have_is_refused(table, name, other):
    numbers = table(here=("n = 2", {name: "here:n"}), there=("n = 3", {"two": "there:n"}))
    with pytest.raises(PlugInError, match=f"'{name}' is added by .* and by {other}; uninstall one"):
        numbers["one"]
