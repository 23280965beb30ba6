import csv
import gzip
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from rcae.base.errors import CellFailedError, DataError, InterruptedTrainingError, UsageError
from rcae.base.settings import PRESETS, load_settings
from rcae.base.storage import write_text
from rcae.data.doctor import give_aways
from rcae.data.images import read_image
from rcae.data.layouts.category import open_category
from rcae.evaluation.result import EvaluationResult
from rcae.many.cluster import Needs
from rcae.many.commands import Ended
from rcae.model.system import RcaeSystem
from rcae.study import cells, contenders, summary
from rcae.study.ablations import ABLATIONS, ablation
from rcae.study.cell import CellFolder, run_cell
from rcae.study.cells import cell_requests, run_cells
from rcae.study.contenders import CONTENDERS, plain_autoencoder
from rcae.study.fidelity import fidelity_table
from rcae.study.output import write_benchmark
from rcae.study.request import CellRequest
from tests.conftest import TINY
from tests.study.test_summary import result as made_up_cell

OURS = CellRequest("ours", "", "quick", 0, None, TINY)
PLAIN = CellRequest("plain", "", "autoencoder", 0, None, TINY[:3] + TINY[6:])


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory):
    """A benchmark of two tiny models on one category: its folder, cells and results.

    Ours in a process of its own, as a benchmark runs a cell; the other here, where nothing is imported.
    """
    output = tmp_path_factory.mktemp("benchmark")
    requests = cell_requests([parts], [OURS, PLAIN], [0], output)
    list(run_cells_here(requests[1:]))
    results = list(run_cells(requests))[-1]
    write_benchmark(output, results, [path for path, _ in requests])
    return output, requests, results


def test_every_cell_leaves_its_scores_pictures_and_a_result(finished):
    _, requests, results = finished
    assert [result.label for result in results] == ["ours", "plain"]
    for (path, request), result in zip(requests, results, strict=True):
        folder = CellFolder(path)
        assert folder.read_request() == request
        with gzip.open(folder.scores, "rt") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == result.image_count == 8
        assert sorted(file.name for file in folder.pictures.iterdir()) == [
            "1-scratch.jpg",
            "2-good.jpg",
        ]
        assert result.training_s > 0


def test_the_time_of_an_interrupted_sitting_counts(finished, monkeypatch, tmp_path):
    _, requests, _ = finished
    folder = CellFolder(tmp_path)
    write_text(folder.request, CellFolder(requests[1][0]).request.read_text())

    def interrupted(*_, **__):
        raise InterruptedTrainingError("stopped")

    monkeypatch.setattr(contenders, "train", interrupted)
    with pytest.raises(InterruptedTrainingError):
        run_cell(folder)
    monkeypatch.undo()
    write_text(folder.sittings, "[1000.0]")
    run_cell(folder)
    result = folder.read_result()
    assert folder.read_sittings() == [1000.0, pytest.approx(result.training_s - 1000)]
    assert result.threads >= 1


def test_the_page_shows_every_model_and_fetches_nothing(finished):
    output, _, _ = finished
    page = (output / "results.html").read_text()
    assert page.count('<img src="data:image/jpeg;base64,') == 4
    assert "http" not in page.replace("http-equiv", "")
    assert "| ours |" in (output / "results.md").read_text()
    assert len((output / "results.csv").read_text().splitlines()) == 3


def test_a_cluster_gets_the_cells_that_are_not_finished_and_a_failed_one_stops_no_other(
    finished, tmp_path, monkeypatch
):
    _, requests, results = finished
    begun = [(tmp_path / path.name / str(n), one) for n, (path, one) in enumerate(requests)]
    shutil.copytree(requests[1][0], begun[1][0])
    again = [*begun, (tmp_path / "third", requests[1][1])]
    sent = []

    def run(commands, needs, address):
        for command in commands:
            sent.append((command.words, address))
            is_first = len(sent) == 1
            if not is_first:
                shutil.copytree(requests[1][0], command.words[1], dirs_exist_ok=True)
            yield command, Ended(6 if is_first else 0, "it diverged.")

    monkeypatch.setattr(cells, "run_commands", run)
    with pytest.raises(CellFailedError, match=r"1 cells failed, .*/0: it diverged\. Mend") as error:
        list(run_cells(again, Needs(), "head:6379"))
    assert error.value.exit_code == 6
    folders = [str(tmp_path / begun[0][0].parent.name / "0"), str(tmp_path / "third")]
    assert sent == [(("run-cell", folder), "head:6379") for folder in folders]
    assert list(run_cells(again[1:], Needs(), "head:6379"))[-1] == [results[1], results[1]]


def test_a_second_run_keeps_finished_cells(finished):
    _, requests, results = finished
    before = [CellFolder(path).result.stat().st_mtime_ns for path, _ in requests]
    assert list(run_cells(requests))[-1] == results
    assert before == [CellFolder(path).result.stat().st_mtime_ns for path, _ in requests]


def test_below_every_table_stands_what_each_property_alone_reaches(finished):
    output, requests, results = finished
    test = open_category(Path(requests[0][1].data)).test
    truth = [sample.is_defective for sample in test]
    auroc = roc_auc_score(truth, [read_image(sample.path).mean() for sample in test])
    for result in results:
        assert result.give_aways["brightness"] == pytest.approx(max(auroc, 1 - auroc))
        assert (result.give_aways["size"], result.give_aways["kind"]) == (0.5, 0.5)
    line = f"parts: size 0.500, aspect 0.500, brightness {max(auroc, 1 - auroc):.3f}, contrast "
    tables = (output / "results.md").read_text().split("\n| model |")[1:]
    sections = (output / "results.html").read_text().split("<h2>")[1:]
    assert len(tables) == 1 + len(summary.ACCURACY)
    assert all(f"\n- {line}" in table for table in tables)
    assert [f"<li>{line}" in section for section in sections] == [True] * len(tables) + [False] * 2


def test_a_category_whose_light_tells_is_named_with_the_results(parts, tmp_path, monkeypatch):
    """Else a model that sees nothing but the light would stand there as the best."""
    monkeypatch.setattr(give_aways, "FEWEST", 2)
    data = Path(shutil.copytree(parts, tmp_path / "parts"))
    for path in (data / "test" / "good").iterdir():
        Image.open(path).point(lambda value: value // 2).save(path)
    requests = cell_requests([data], [PLAIN], [0], tmp_path / "output")
    results = list(run_cells_here(requests))
    says = "mean brightness alone has an image AUROC of 1.000. Image scores measure the light"
    assert f"- parts: {says}" in summary.to_markdown(results)
    page = write_benchmark(tmp_path / "output", results, [path for path, _ in requests])
    assert says in page.read_text()


def run_cells_here(requests):
    """In this process, where settings of the tests hold."""
    for path, request in requests:
        folder = CellFolder(path)
        write_text(folder.request, json.dumps(asdict(request)))
        run_cell(folder)
        yield folder.read_result()


def test_another_request_in_the_same_folder_is_refused(finished):
    _, requests, _ = finished
    path, request = requests[0]
    with pytest.raises(
        UsageError, match=r"other options .*json\): budget_s was not given and is 5.0; give"
    ):
        list(run_cells([(path, replace(request, budget_s=5.0))]))


@pytest.mark.parametrize("change", ["image", "mask", "more", "less", "name"])
def test_a_finished_cell_of_data_that_has_changed_is_refused(parts, tmp_path, change):
    """Else two sets of images would be one row of the table, their difference the spread over seeds."""
    data = Path(shutil.copytree(parts, tmp_path / "parts"))
    ((path, request),) = cell_requests([data], [OURS], [0], tmp_path)
    write_text(CellFolder(path).request, json.dumps(asdict(request)))
    finished = made_up_cell("ours", "parts", 0)
    write_text(CellFolder(path).result, finished.to_json())
    assert list(run_cells([(path, request)])) == [[finished]]

    good, masks = data / "test" / "good", data / "ground_truth" / "scratch"
    if change == "image":
        shutil.copy(good / "001.png", good / "000.png")
    elif change == "mask":
        shutil.copy(masks / "001_mask.png", masks / "000_mask.png")
    elif change == "more":
        shutil.copy(good / "000.png", good / "100.png")
    elif change == "less":
        (good / "000.png").unlink()
    else:
        (good / "003.png").rename(good / "100.png")
    with pytest.raises(
        UsageError, match=r"other options .*json\): data_sha256 was \w+ and is \w+; give"
    ):
        list(run_cells(cell_requests([data], [OURS], [0], tmp_path)))


def test_data_that_changes_while_a_cell_trains_gives_no_result(finished, tmp_path):
    _, requests, _ = finished
    folder = CellFolder(Path(shutil.copytree(requests[1][0], tmp_path / "cell")))
    folder.result.unlink()
    write_text(folder.request, json.dumps(asdict(replace(requests[1][1], data_sha256="another"))))
    with pytest.raises(DataError, match="has changed since the benchmark was started"):
        run_cell(folder)
    assert not folder.result.exists()


def test_a_finished_cell_that_does_not_say_what_it_was_made_of_is_refused(finished, tmp_path):
    """As of earlier versions, which noted the path of the settings file instead of what it says."""
    _, requests, _ = finished
    folder = CellFolder(tmp_path)
    earlier = asdict(requests[0][1]) | {"settings_file": None}
    del earlier["data_sha256"]
    write_text(folder.request, json.dumps(earlier))
    write_text(folder.result, "{}")
    with pytest.raises(
        UsageError, match=r"json was written by another version .* another -o folder"
    ):
        list(run_cells([(folder.path, requests[0][1])]))


def test_a_result_that_lacks_something_is_refused(finished, tmp_path):
    _, requests, _ = finished
    folder = CellFolder(tmp_path)
    write_text(folder.request, CellFolder(requests[0][0]).request.read_text())
    write_text(folder.result, "{}")
    with pytest.raises(UsageError, match=r"result\.json was written by another version"):
        list(run_cells([(folder.path, requests[0][1])]))


def test_a_result_begins_with_what_was_asked_and_is_read_back_as_it_was_written(finished):
    _, requests, results = finished
    for (path, request), result in zip(requests, results, strict=True):
        text = CellFolder(path).result.read_text()
        plain = json.loads(text)
        asked = json.loads(json.dumps(asdict(request)))
        assert dict(list(plain.items())[: len(asked)]) == asked
        names = [
            "note",
            "training_s",
            *EvaluationResult.model_fields,
            "give_aways",
            "threads",
            "versions",
        ]
        assert list(plain) == [*asked, *names]
        assert text == result.to_json() + "\n"


def test_a_cell_of_which_nothing_was_kept_is_begun_anew_with_other_options(
    finished, tmp_path, monkeypatch
):
    """As the message advises where a budget was too small; the time lost is not the model's."""
    folder, request = CellFolder(tmp_path), replace(finished[1][0][1], budget_s=1.0)
    monkeypatch.setattr(cells, "_run", lambda folder: write_text(folder.sittings, "[1.0]"))
    with pytest.raises(FileNotFoundError):  # there is no result
        list(run_cells([(folder.path, request)]))
    made = made_up_cell("plain", "parts", 0)
    monkeypatch.setattr(cells, "_run", lambda folder: write_text(folder.result, made.to_json()))
    longer = replace(request, budget_s=20.0)
    assert list(run_cells([(folder.path, longer)])) == [[made]]
    assert folder.read_request() == longer
    assert folder.read_sittings() == []


def test_an_interrupted_cell_is_kept_for_its_own_options(finished, tmp_path):
    _, requests, _ = finished
    folder = CellFolder(tmp_path)
    write_text(folder.request, CellFolder(requests[0][0]).request.read_text())
    write_text(folder.training / "settings.toml", "")
    with pytest.raises(UsageError, match="made with other options"):
        list(run_cells([(folder.path, replace(requests[0][1], budget_s=5.0))]))


def test_a_failing_cell_is_named_and_takes_no_module_from_where_the_user_is(
    parts, tmp_path, monkeypatch
):
    (tmp_path / "glob.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    broken = replace(OURS, label="broken", values=("model.recursion_depth=99",))
    requests = cell_requests([parts], [broken], [0], tmp_path / "output")
    with pytest.raises(CellFailedError, match=r"broken.*exit code 2") as caught:
        list(run_cells(requests))
    assert caught.value.exit_code == 2


def test_unknown_models_and_equal_names_are_refused_before_any_training(parts, tmp_path):
    with pytest.raises(UsageError, match="'best' is not known; choose from quick"):
        CONTENDERS["best"]
    with pytest.raises(UsageError, match="same name"):
        cell_requests([parts, parts], [OURS], [0], tmp_path)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_plain_autoencoder_has_as_many_parameters_as_the_recursive_one(preset):
    def parameters(values):
        network = RcaeSystem(load_settings(preset, values=values).model).reconstruction
        return sum(parameter.numel() for parameter in network.parameters())

    assert parameters(plain_autoencoder(preset)) == pytest.approx(parameters(()), rel=0.05)


@pytest.mark.parametrize("known", ABLATIONS, ids=lambda known: known.name)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_row_of_every_ablation_is_a_valid_setting(known, preset):
    assert ablation(known.name) is known
    for variant in known.variants:
        load_settings(preset, values=variant.changes(preset))
    labels = [variant.label for variant in known.variants]
    assert len(set(labels)) == len(labels)


def test_ranked_ablations_rise_in_the_paper():
    for known in ABLATIONS:
        for metric in ("paper_image_auroc", "paper_pixel_auroc"):
            values = [getattr(variant, metric) for variant in known.variants]
            if known.is_ranked:
                assert values == sorted(values)


def test_the_fidelity_of_a_cell_is_measured_with_and_without_dpn(finished):
    _, requests, _ = finished
    table = fidelity_table([requests[0][0]])
    rows = [line for line in table.splitlines() if "| I_" in line]
    assert len(rows) == 2
    for row in rows:
        psnr, ssim, contrast = map(float, row.split("|")[4:7])
        assert 0 < psnr < 60
        assert -1 <= ssim <= 1
        assert contrast > 0
