import subprocess
import sys

import onnx
import pytest

from rcae.base.errors import StorageError
from rcae.detector.export import openvino_export
from rcae.detector.run.checkpoint import load_model
from tests.conftest import files_of_at_most


def own_process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "rcae", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_user_exports_verifies_and_predicts(finished_run, parts, tmp_path):
    file = tmp_path / "parts.onnx"
    done = own_process("export", finished_run, "--to", "onnx", "-o", file)
    assert done.returncode == 0, done.stderr
    assert f"rcae verify {finished_run} {file}" in done.stderr
    done = own_process("verify", finished_run, file, parts)
    assert done.returncode == 0, done.stderr
    runtimes = [line.split()[0] for line in done.stdout.splitlines()[1:3]]
    assert runtimes == ["ONNX", "OpenVINO"]
    done = own_process("predict", file, parts / "test", "-o", tmp_path / "out", "--overlays")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out" / "predictions.jsonl").read_text().splitlines()) == 8


def test_an_exported_file_is_evaluated_without_pictures_of_the_recursion(
    onnx_file, parts, tmp_path, rcae
):
    code, _, error = rcae("evaluate", onnx_file, parts, "-o", tmp_path)
    assert code == 0, error
    page = (tmp_path / "report.html").read_text()
    assert "Clearest defects" in page
    assert "Through the recursion" not in page


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["export", "{run}", "--to", "onnx", "-o", "{tmp}/a.xml"], 2, "does not end in .onnx"),
        (["export", "{run}", "--to", "openvino", "-o", "{tmp}/a.onnx"], 2, "does not end in .xml"),
        (
            ["export", "{run}", "--to", "onnx", "--precision", "int8", "-o", "{tmp}/a.onnx"],
            2,
            "--precision int8 together with --good",
        ),
        (
            ["export", "{run}", "--to", "onnx", "--good", "{data}", "-o", "{tmp}/a.onnx"],
            2,
            "--precision int8 together with --good",
        ),
        (["export", "{run}", "--to", "tflite", "-o", "{tmp}/a"], 2, "'tflite' is not one of"),
        (["export", "{tmp}/none", "--to", "onnx", "-o", "{tmp}/a.onnx"], 2, "does not exist"),
        (["export", "{onnx}", "--to", "onnx", "-o", "{tmp}/a.onnx"], 4, "safetensors"),
        (["verify", "{run}", "{tmp}/a.onnx", "{data}"], 2, "a.onnx does not exist"),
        (["verify", "{run}", "{run}/model.safetensors", "{data}"], 2, "end in .onnx or .xml"),
        (["verify", "{run}", "{onnx}", "{tmp}/none.png"], 2, "none.png"),
        (["predict", "{tmp}/a.onnx", "{data}", "-o", "{tmp}/out"], 2, "a.onnx does not exist"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_leaves_nothing(
    finished_run, onnx_file, parts, tmp_path, rcae, arguments, code, sentence
):
    places = {"run": finished_run, "onnx": onnx_file, "data": parts, "tmp": tmp_path}
    ended, _, error = rcae(*[argument.format(**places) for argument in arguments])
    assert ended == code
    assert error.splitlines()[-1].startswith("rcae: error: ")
    assert sentence in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("largest", [5_000, 400_000], ids=["weights", "graph"])
def test_a_full_disk_is_named_and_leaves_no_half_of_an_openvino_model(
    finished_run, onnx_file, tmp_path, monkeypatch, largest
):
    model, graph = load_model(finished_run / "model.safetensors"), onnx.load(onnx_file)
    monkeypatch.setattr(openvino_export, "onnx_model", lambda _: graph)
    with (
        files_of_at_most(largest),
        pytest.raises(StorageError, match=r"m\.xml could not be written"),
    ):
        openvino_export.export_openvino(model, "fp32", None, tmp_path / "new" / "m.xml")
    assert not list((tmp_path / "new").iterdir())
