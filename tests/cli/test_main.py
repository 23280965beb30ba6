import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rcae.cli.options import Duration
from tests.conftest import TINY, files_of_at_most

TINY_OPTIONS = [word for value in TINY for word in ("--set", value)]


def test_a_new_user_goes_from_doctor_to_predictions(rcae, parts, tmp_path):
    code, out, _ = rcae("doctor", parts)
    assert code == 0, out
    run = tmp_path / "run"
    assert rcae("train", parts, "-o", run, *TINY_OPTIONS)[0] == 0
    code, out, err = rcae("evaluate", run, parts)
    assert code == 0
    assert "scratch" in out
    assert str(run / "evaluation" / "report.html") in err
    code, out, _ = rcae(
        "predict", run, parts / "test", "-o", tmp_path / "out", "--overlays", "--maps"
    )
    assert code == 0
    assert "predictions.csv" in out
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 8


def test_evaluate_prints_one_json_object_and_nothing_else_on_standard_output(
    rcae, parts, finished_run, tmp_path
):
    code, out, _ = rcae("evaluate", finished_run, parts, "--json", "-o", tmp_path)
    assert code == 0
    assert json.loads(out).keys() >= {
        "image_auroc",
        "image_ap",
        "pixel_auroc",
        "pixel_ap",
        "aupro",
        "image_count",
    }


def test_a_model_file_alone_predicts(rcae, parts, finished_run, tmp_path):
    model = shutil.copy(finished_run / "model.safetensors", tmp_path / "model.safetensors")
    assert rcae("predict", model, parts / "test" / "good", "-o", tmp_path / "out")[0] == 0


def test_an_unreadable_image_is_reported_at_the_end_with_code_3(
    rcae, parts, finished_run, tmp_path
):
    (tmp_path / "broken.jpg").write_bytes(b"")
    code, _, err = rcae(
        "predict",
        finished_run,
        tmp_path / "broken.jpg",
        parts / "test" / "good",
        "-o",
        tmp_path / "out",
    )
    assert code == 3
    assert "1 of 5 images could not be inspected" in err
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 5


def test_doctor_accepts_good_images_alone_unless_they_are_for_evaluation(rcae, parts, tmp_path):
    shutil.copytree(parts / "train" / "good", tmp_path / "good parts")
    for purpose, expected in ((), 0), (("--for", "train"), 0), (("--for", "evaluate"), 3):
        code, out, _ = rcae("doctor", tmp_path / "good parts", *purpose)
        assert (code, "to evaluate, add" in out) == (expected, True)


def test_doctor_lists_problems_as_json_and_fails(rcae, parts, tmp_path):
    bad = shutil.copytree(parts, tmp_path / "bad")
    (bad / "train" / "good" / "000.png").write_bytes(b"")
    code, out, _ = rcae("doctor", bad, "--json")
    assert code == 3
    found = json.loads(out)["findings"]
    assert any("000.png" in finding["path"] for finding in found)


def test_training_on_a_broken_image_names_it_before_anything_is_written(rcae, parts, tmp_path):
    bad = shutil.copytree(parts, tmp_path / "bad")
    data = (bad / "train" / "good" / "003.png").read_bytes()
    (bad / "train" / "good" / "003.png").write_bytes(data[: len(data) // 2])
    code, _, err = rcae("train", bad, "-o", tmp_path / "run", *TINY_OPTIONS)
    assert code == 3
    assert "003.png" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "x"], "Missing option '-o'"),
        (["train", "x", "-o", "y", "--sede", "1"], "No such option '--sede'"),
        (
            ["train", "x", "-o", "y", "--budget", "10x"],
            "'10x' is not a time; write 10m, 1h30m or 90s",
        ),
        (["train", "x", "-o", "y", "--budget", "9" * 400 + "m"], "a budget of inf s is not a time"),
        (
            ["train", "x", "-o", "y", "--preset", "fast"],
            "choose one of quick, standard, scratch, paper",
        ),
        (["train", "x", "-o", "y", "--seed", "-1"], "'seed'"),
        (["train", "x", "-o", "y", "--set", "model.depth=1"], "'model.depth' is not a setting"),
        (["train", "x", "-o", "y", "--config", "none.toml"], "none.toml does not exist"),
        (["train", "nowhere", "-o", "y"], "nowhere does not exist"),
        (["doctor", "nowhere"], "nowhere does not exist"),
        (["evaluate", "nowhere", "x"], "nowhere"),
        (["predict", "nowhere", "x", "-o", "y"], "x"),
        (["train", "x", "-o", "y", "--resume"], "holds no run"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_code_2(
    rcae, arguments, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, err = rcae(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("rcae: error: ")
    assert sentence in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "{parts}", "-o", "{long}"],
        ["predict", "{run}", "{long}", "-o", "out"],
        ["predict", "{long}", "{parts}", "-o", "out"],
        ["evaluate", "{long}", "{parts}"],
    ],
    ids=" ".join,
)
def test_a_name_that_no_file_can_have_is_one_sentence(
    rcae, parts, finished_run, tmp_path, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)
    words = [word.format(parts=parts, run=finished_run, long="x" * 300) for word in arguments]
    code, out, err = rcae(*words)
    assert code in (2, 3, 5)  # some versions of Python say that it is not there
    assert out == ""
    assert err.startswith("rcae: error: ")
    assert "x" * 300 in err
    assert not list(tmp_path.iterdir())


def test_output_that_cannot_be_written_is_code_5(rcae, parts, tmp_path, monkeypatch):
    with (tmp_path / "out.json").open("w") as output, files_of_at_most(0):
        monkeypatch.setattr("sys.stdout", output)
        code, _, err = rcae("doctor", parts, "--json")
    assert code == 5
    assert "the output could not be read or written (File too large)" in err


def test_a_damaged_model_is_code_4(rcae, parts, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    code, _, err = rcae("evaluate", tmp_path, parts)
    assert code == 4
    assert "not a readable safetensors file" in err


def test_an_interruption_is_code_130_and_resumable(rcae, parts, tmp_path, monkeypatch):
    import signal

    from rcae.training import loop

    step = loop.train_step

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", interrupted)
        code, _, err = rcae("train", parts, "-o", tmp_path / "run", *TINY_OPTIONS)
    assert code == 130
    assert "--resume" in err
    assert rcae("train", parts, "-o", tmp_path / "run", "--resume")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benchmark", "{parts}", "--models", "best", "-o", "out"], "model 'best' is not known"),
        (["benchmark", "{parts}", "--models", "quick,", "-o", "out"], "not a list of different"),
        (["benchmark", "{parts}", "--seeds", "0,one", "-o", "out"], "not a list of seeds"),
        (["benchmark", "nowhere", "-o", "out"], "nowhere"),
        (["benchmark", "{parts}", "{parts}", "-o", "out"], "same name"),
        (["reproduce", "width", "{parts}", "-o", "out"], "choose one of components, depth"),
        (["reproduce", "depth", "{parts}", "--preset", "fast", "-o", "out"], "'fast'"),
        (["reproduce", "depth", "{parts}", "--config", "no.toml", "-o", "out"], "no.toml"),
    ],
)
def test_a_wrong_benchmark_is_refused_before_any_training(
    rcae, parts, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = rcae(*[argument.format(parts=parts) for argument in arguments])
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2h", 7200)]
)
def test_times_are_read(text, seconds):
    assert Duration().convert(text, None, None) == seconds


def loaded_by(code):
    program = f"import sys; {code}; print(*sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return set(result.stdout.splitlines()[-1].split())


HEAVY = {
    "torch",
    "numpy",
    "scipy",
    "matplotlib",
    "PIL",
    "pydantic",
    "safetensors",
    "jinja2",
}


def test_importing_the_package_or_the_command_line_loads_nothing_heavy():
    assert not loaded_by("import rcae, rcae.cli.main") & HEAVY


def test_help_loads_nothing_heavy():
    code = (
        "import rcae.cli.main; rcae.cli.main.cli.main(['train', '--help'], standalone_mode=False)"
    )
    assert not loaded_by(code) & HEAVY


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    import rcae as package

    with pytest.raises(AttributeError, match="no attribute 'Detecter'"):
        _ = package.Detecter
    assert sorted(package.__all__) == package.__all__
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_grey_palette_and_16_bit_images_are_trained_on_and_predicted(rcae, tmp_path):
    random = np.random.default_rng(0)
    data = tmp_path / "mixed parts ✓"
    data.mkdir()
    for number in range(16):
        grey = random.integers(80, 120, (40, 40)).astype(np.uint8)
        image = Image.fromarray(grey)
        if number % 3 == 1:
            image = Image.fromarray(grey.astype(np.uint16) * 257)
        if number % 3 == 2:
            image = image.convert("P")
        image.save(data / f"teil {number}.png")
    assert rcae("train", data, "-o", tmp_path / "run", *TINY_OPTIONS)[0] == 0
    assert rcae("predict", tmp_path / "run", data, "-o", tmp_path / "out")[0] == 0


def test_an_output_folder_that_is_a_file_is_refused_before_anything_is_inspected(
    rcae, finished_run, parts, tmp_path, monkeypatch
):
    monkeypatch.setattr("rcae.evaluation.evaluate.evaluate_model", None)
    (tmp_path / "file").touch()
    code, _, error = rcae("evaluate", finished_run, parts, "-o", tmp_path / "file")
    assert code == 2
    assert "is a file" in error


def test_training_says_at_its_start_what_is_trained_and_how_long_it_takes(rcae, parts, tmp_path):
    code, _, err = rcae("train", parts, "-o", tmp_path / "run", *TINY_OPTIONS)
    assert code == 0
    first, second = err.splitlines()[:2]
    assert re.fullmatch(
        r"training on .+ with 12 good images of parts, 4 more to calibrate: preset quick, seed 0",
        first,
    )
    assert re.fullmatch(r"3 \+ 2 \+ 3 steps, ready in about \d+m?\d*s", second)
