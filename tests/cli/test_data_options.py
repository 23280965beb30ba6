"""Options on the images, and results that would lie among them, as a user meets both."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import rcae as package
from rcae.base.errors import InterruptedTrainingError
from tests.conftest import TINY

SET = [word for value in TINY for word in ("--set", value)]


@pytest.fixture
def own_names(parts, tmp_path):
    """The images of `parts` in folders of other names, masks white where the part is good."""
    root = tmp_path / "own"
    shutil.copytree(parts / "train" / "good", root / "shots" / "monday")
    shutil.copytree(parts / "test" / "good", root / "later")
    shutil.copytree(parts / "test" / "scratch", root / "ng")
    for mask in (parts / "ground_truth" / "scratch").iterdir():
        target = root / "white" / mask.name
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(~np.asarray(Image.open(mask))).save(target)
    return root


NAMED = ("--good", "shots", "--test-good", "later", "--defective", "ng", "--masks", "white")


def test_a_run_remembers_the_folders_that_it_was_trained_with(rcae, own_names, tmp_path):
    run = tmp_path / "run"
    assert rcae("train", own_names, *NAMED, "-o", run, *SET)[0] == 0
    code, _, error = rcae("evaluate", run, own_names, "--json")
    assert code == 3
    assert "give or leave out --masks-inverted" in error
    code, out, _ = rcae("evaluate", run, own_names, "--masks-inverted", "--json")
    assert code == 0
    metrics = json.loads(out)
    assert (metrics["good_count"], metrics["defective_count"]) == (4, 4)
    assert metrics["pixel_auroc"] is not None
    assert (
        package.evaluate(run, package.DataSource(own_names, masks_inverted=True)).metrics.good_count
        == 4
    )
    assert rcae("train", own_names, "-o", run, "--resume")[0] == 0


def test_folders_of_other_names_are_refused_without_the_options(rcae, own_names, finished_run):
    code, _, error = rcae("evaluate", finished_run, own_names)
    assert code == 3
    assert "fits no layout" in error
    assert "--good DIR" in error


def test_doctor_takes_the_same_options(rcae, own_names):
    code, out, _ = rcae("doctor", own_names, *NAMED, "--masks-inverted")
    assert (code, "folders as named" in out) == (0, True)
    assert rcae("doctor", own_names, *NAMED)[0] == 3
    code, _, error = rcae("doctor", own_names, "--defective", "ng")
    assert (code, "need --good" in error) == (2, True)


def test_an_interrupted_run_resumes_with_its_folders(rcae, own_names, tmp_path, monkeypatch):
    run = tmp_path / "run"

    def interrupted(*_):
        raise InterruptedTrainingError("stopped")

    monkeypatch.setattr("rcae.training.trainer.finish", interrupted)
    assert rcae("train", own_names, *NAMED, "-o", run, *SET)[0] == 130
    monkeypatch.undo()
    monkeypatch.setattr("sys.argv", ["rcae"])
    package.train(own_names, run, resume=True)
    assert (run / "model.safetensors").exists()


def test_a_list_is_trained_on_and_evaluated(rcae, parts, tmp_path):
    rows = ["image_path,label,split,mask_path"]
    for image in sorted(parts.glob("t*/*/*.png")):
        kind, split = image.parent.name, image.parts[-3]
        mask = parts / "ground_truth" / kind / f"{image.stem}_mask.png"
        rows.append(f"{image},{kind},{split},{mask if mask.exists() else ''}")
    table = tmp_path / "list.csv"
    table.write_text("\n".join(rows))
    run = tmp_path / "run"
    assert rcae("train", table, "-o", run, *SET)[0] == 0
    code, out, _ = rcae("evaluate", run, table, "--json")
    assert (code, json.loads(out)["defect_types"]["scratch"]["image_count"]) == (0, 4)
    assert rcae("doctor", table)[0] == 0


def test_a_run_is_not_made_among_the_images(rcae, parts):
    code, _, error = rcae("train", parts, "-o", parts / "run", *SET)
    assert code == 2
    assert f"Choose a folder outside, like -o {parts.parent / 'run'}" in error
    assert not (parts / "run").exists()


@pytest.mark.parametrize("command", ["evaluate", "compare", "benchmark", "predict"])
def test_results_are_not_written_among_the_images(rcae, parts, finished_run, command):
    words = {
        "evaluate": ("evaluate", finished_run, parts, "-o", parts / "out"),
        "compare": ("compare", finished_run, finished_run, parts, "-o", parts / "out"),
        "benchmark": ("benchmark", parts, "-o", parts / "out"),
        "predict": ("predict", finished_run, parts / "test", "-o", parts / "test" / "out"),
    }
    code, _, error = rcae(*words[command])
    assert code == 2
    assert "where images are read" in error
    assert not list(parts.rglob("out"))


def test_overlays_of_older_results_are_not_inspected(rcae, parts, finished_run, tmp_path):
    new = tmp_path / "new"
    shutil.copytree(parts / "test" / "good", new)
    assert rcae("predict", finished_run, new, "-o", tmp_path / "results", "--overlays")[0] == 0
    (tmp_path / "results").rename(new / "results")
    code, _, error = rcae("predict", finished_run, new, "-o", tmp_path / "again", "--overlays")
    assert code == 0
    assert len((tmp_path / "again" / "predictions.jsonl").read_text().splitlines()) == 4
    assert (
        "note: Folders left out, since they hold results of rcae or thumbnails: results/." in error
    )


def test_doctor_leaves_out_an_older_run_among_the_images(rcae, parts, finished_run, tmp_path):
    root = tmp_path / "parts"
    shutil.copytree(parts / "train" / "good", root / "good")
    shutil.copytree(finished_run, root / "run")
    assert (root / "run" / "losses.png").exists()
    code, out, _ = rcae("doctor", root)
    assert code == 0
    assert "Folders left out, since they hold results of rcae or thumbnails: run/." in out
    assert "losses" not in out


def test_python_takes_folders_too(own_names, tmp_path):
    source = package.DataSource(own_names, package.Folders(good=("shots",), defective=("ng",)))
    package.train(source, tmp_path / "run", set=TINY)
    metrics = package.evaluate(tmp_path / "run", own_names).metrics
    assert (metrics.good_count, metrics.defective_count) == (3, 4)
