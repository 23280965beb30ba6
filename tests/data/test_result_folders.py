import pytest

from rcae.base.errors import UsageError
from rcae.data.folders import expand_paths, left_out_notes
from rcae.data.layouts.category import open_category
from rcae.data.result_folders import has_results, require_apart
from rcae.detector.run.run_folder import RunFolder

RUN = ("run.json", "settings.toml", "losses.png", "samples/good-0.png", "evaluation/a.png")
RESULTS = {
    "train": RUN,
    "predict": ("predictions.csv", "predictions.jsonl", "overlays/000001-0.png"),
    "evaluate": ("metrics.json", "scores.csv", "report.html", "a.png"),
    "compare": ("comparison.json", "changes.csv", "a.png"),
    "monitor": ("drift.json", "drift.png"),
    "benchmark": (
        "cells/parts/quick/seed-0/request.json",
        "cells/parts/quick/seed-0/pictures/1.jpg",
    ),
    "reproduce": ("cells/parts/n-3/seed-0/request.json", "depth.png", "depth.csv"),
}


def test_the_files_of_a_run_are_those_that_mark_one(make_files):
    folder = RunFolder(make_files("run", *RUN))
    assert folder.settings.exists()
    assert folder.record.exists()
    assert has_results(folder.path)


@pytest.mark.parametrize("command", RESULTS)
def test_results_among_images_are_left_out_with_a_note(make_files, command):
    root = make_files("parts", "good/0.png", "crack/0.png", *[f"out/{n}" for n in RESULTS[command]])
    category = open_category(root)
    assert [s.path.relative_to(root).as_posix() for s in category.samples] == [
        "good/0.png",
        "crack/0.png",
    ]
    note = "Folders left out, since they hold results of rcae or thumbnails: out/."
    assert note in category.notes
    assert not any("Images left out" in each for each in category.notes)
    assert {path.parent.name for path in expand_paths([str(root)])} == {"good", "crack"}
    assert {path.parent.name for path in expand_paths([str(root / "**" / "*.png")])} == {
        "good",
        "crack",
    }
    assert note in left_out_notes([str(root)])


def test_overlays_beside_predictions_are_left_out_where_these_lie_among_images(make_files):
    root = make_files("new", "0.png", "predictions.csv", "predictions.jsonl", "overlays/1.png")
    assert [path.name for path in expand_paths([str(root)])] == ["0.png"]
    assert [path.name for path in expand_paths([str(root / "*")])] == ["0.png"]


def test_results_that_are_named_are_read(make_files):
    root = make_files("out", "predictions.csv", "predictions.jsonl", "overlays/1.png")
    assert [path.name for path in expand_paths([str(root / "overlays")])] == ["1.png"]
    assert [path.name for path in expand_paths([str(root / "overlays" / "*.png")])] == ["1.png"]


@pytest.mark.parametrize("name", ["thumbs", "Thumbnails", "_thumbs"])
def test_thumbnails_are_left_out_with_a_note(make_files, name):
    root = make_files("parts", "good/0.png", f"good/{name}/0.png")
    category = open_category(root)
    assert len(category.samples) == 1
    assert category.notes == (
        f"Folders left out, since they hold results of rcae or thumbnails: good/{name}/.",
    )


def test_a_folder_with_some_of_the_names_is_a_defect_type(make_files):
    root = make_files(
        "parts", "good/0.png", "cells/0.png", "samples/0.png", "out/run.json", "out/0.png"
    )
    assert {s.defect_type for s in open_category(root).samples} == {
        "good",
        "cells",
        "samples",
        "out",
    }


@pytest.mark.parametrize("place", [".", "run", "good/run", "a/b/c"])
def test_results_are_not_written_among_images(make_files, place):
    root = make_files("parts", "good/0.png")
    with pytest.raises(UsageError, match=r"lies in .*parts, where images are read"):
        require_apart(root / place, [root])


def test_results_go_beside_images_or_into_older_results(make_files, tmp_path):
    root = make_files("parts", "good/0.png", *[f"run/{name}" for name in RUN])
    require_apart(tmp_path / "run", [root])
    require_apart(tmp_path / "parts-run", [root])
    require_apart(root / "run", [root])
    require_apart(root / "run" / "evaluation", [root])
