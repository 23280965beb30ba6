import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from rcae import Detector
from rcae.base.errors import CheckpointError, ImageError, UsageError, VerificationError
from rcae.data.images import read_image, resize
from rcae.detector.export.onnx_export import export_onnx
from rcae.detector.export.run_export import export_run
from rcae.detector.run.checkpoint import load_model, save_model
from rcae.detector.runners import openvino_runner
from rcae.detector.runners.exported import IMAGES, as_bytes
from rcae.detector.runners.onnx_runner import OnnxRunner
from rcae.detector.runners.openvino_runner import OpenvinoRunner
from rcae.evaluation.verify import Difference, Verification, verify_export
from tests.base.test_extras import without
from tests.detector.export.test_graph import untrained

SIZES = [(40, 40), (16, 16), (100, 17), (33, 64)]


@pytest.fixture(params=["onnx", "openvino"])
def exported(request, onnx_file, openvino_file):
    return {"onnx": onnx_file, "openvino": openvino_file}[request.param]


@pytest.mark.parametrize("size", SIZES)
def test_an_exported_file_answers_as_its_run_at_every_size(exported, finished_run, parts, size):
    image = as_bytes(resize(read_image(parts / "test/good/000.png"), *size))[0]
    expected = Detector.load(finished_run, size_limit=1e6).predict(image)
    seen = Detector.load(exported, size_limit=1e6).predict(image)
    assert seen.anomaly_map.shape == size
    assert seen.anomaly_map.dtype == np.float32
    np.testing.assert_allclose(seen.anomaly_map, expected.anomaly_map, atol=3e-4)
    assert seen.anomaly_score == pytest.approx(expected.anomaly_score, abs=3e-4)
    assert seen.threshold == expected.threshold


@pytest.mark.parametrize("size", SIZES)
def test_an_exported_file_answers_as_its_run_to_what_is_unlike_any_good_image(
    exported, finished_run, size
):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    expected = Detector.load(finished_run, size_limit=1e6).predict(noise).anomaly_map
    seen = Detector.load(exported, size_limit=1e6).predict(noise).anomaly_map
    np.testing.assert_allclose(seen, expected, rtol=2e-6, atol=1e-5 * np.ptp(expected))


def test_openvino_answers_alike_when_its_graph_is_compiled_for_a_size_that_recurs(
    openvino_file, monkeypatch
):
    compiled_for = []

    def compiled(runner):
        compiled_for.append(str(runner._network.input(IMAGES).partial_shape))
        return compile_graph(runner)

    compile_graph = OpenvinoRunner._compiled
    monkeypatch.setattr(OpenvinoRunner, "_compiled", compiled)
    monkeypatch.setattr(openvino_runner, "MOST_SHAPES", 2)
    runner = OpenvinoRunner(openvino_file)
    random = np.random.default_rng(0)
    images = [random.random((*size, 3), dtype=np.float32) for size in SIZES]
    first = runner.maps(images)
    assert len(compiled_for) == 1
    for _ in range(3):
        for image, expected in zip(images, first, strict=True):
            np.testing.assert_allclose(runner.maps([image])[0], expected, rtol=1e-4, atol=1e-4)
    # Neither the size that came third nor the fourth: there is room for two.
    assert compiled_for == ["[?,?,?,3]", "[1,40,40,3]", "[1,16,16,3]"]


@pytest.mark.parametrize("runtime", ["run", "onnx", "openvino"])
def test_threads_share_a_detector_and_every_answer_is_that_of_one_alone(
    runtime, finished_run, onnx_file, openvino_file
):
    paths = {"run": finished_run, "onnx": onnx_file, "openvino": openvino_file}
    detector = Detector.load(paths[runtime], size_limit=1e6)
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]
    expected = [detector.predict(image).anomaly_map for image in images]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(detector.predict, images * 6))
    for place, answer in enumerate(answers):
        alone = expected[place % len(images)]
        np.testing.assert_allclose(answer.anomaly_map, alone, rtol=2e-6, atol=1e-5 * np.ptp(alone))


def in_force(runtime, detector):
    """The number of threads that the runtime itself states."""
    runner = detector.runner
    if runtime == "run":
        return torch.get_num_threads()
    if runtime == "onnx":
        return runner._session.get_session_options().intra_op_num_threads
    return runner._for_any_shape.get_property("INFERENCE_NUM_THREADS")


@pytest.fixture
def _torch_threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_torch_threads_as_before")
@pytest.mark.parametrize("runtime", ["run", "onnx", "openvino"])
def test_a_detector_uses_the_number_of_threads_that_it_is_given(
    runtime, finished_run, onnx_file, openvino_file
):
    path = {"run": finished_run, "onnx": onnx_file, "openvino": openvino_file}[runtime]
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    maps = []
    for threads in (
        1,
        min(2, len(os.sched_getaffinity(0))),
    ):  # OpenVINO takes no more than there are
        detector = Detector.load(path, threads=threads)
        assert in_force(runtime, detector) == threads
        maps.append(detector.predict(image).anomaly_map)
    np.testing.assert_allclose(*maps, rtol=2e-6, atol=1e-5 * np.ptp(maps[0]))
    with pytest.raises(UsageError, match="0 threads"):
        Detector.load(path, threads=0)


@pytest.mark.usefixtures("_torch_threads_as_before")
def test_commands_pass_the_number_of_threads_on(rcae, finished_run, parts, tmp_path):
    torch.set_num_threads(1)
    image = parts / "test/good/000.png"
    code, _, _ = rcae("predict", finished_run, image, "-o", tmp_path / "out", "--threads", "2")
    assert (code, torch.get_num_threads()) == (0, 2)


def test_a_signal_ends_no_process_that_has_closed_two_openvino_models(openvino_file):
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from rcae.detector.runners.openvino_runner import OpenvinoRunner\n"
        "first, second = (OpenvinoRunner(Path(sys.argv[1])) for _ in range(2))\n"
        "del first\ndel second\n"
        "signal.signal(signal.SIGINT, lambda *_: print('received'))\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, openvino_file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "received\n")


def test_what_the_file_says_of_the_model_is_what_the_run_says(exported, finished_run):
    assert Detector.load(exported).header == Detector.load(finished_run).header


def test_predicting_needs_no_torch(exported, finished_run, parts):
    image = parts / "test/scratch/000.png"
    code = f"import rcae\nprint(rcae.Detector.load({str(exported)!r}).predict({str(image)!r}).anomaly_score)"
    done = without(["torch", "safetensors"], code)
    assert done.stderr == ""
    expected = Detector.load(finished_run, size_limit=1e6).predict(image).anomaly_score
    assert float(done.stdout) == pytest.approx(expected, rel=1e-6, abs=5e-5)


def test_half_precision_halves_the_file_and_hardly_moves_the_scores(
    finished_run, onnx_file, parts, tmp_path
):
    file = tmp_path / "half.onnx"
    export_run(finished_run, "onnx", "fp16", None, file)
    weights = {
        tensor.name: tensor.data_type
        for tensor in onnx.load(file).graph.initializer
        if len(tensor.dims) >= 4
    }
    assert set(weights.values()) == {onnx.TensorProto.FLOAT16}
    found = verify_export(finished_run, file, [str(parts)])
    assert found.precision == "fp16"
    assert all(0 < one.score_difference < found.tolerance for one in found.differences)


@pytest.mark.parametrize(("target", "suffix"), [("onnx", ".onnx"), ("openvino", ".xml")])
def test_int8_computes_convolutions_in_8_bits(finished_run, parts, tmp_path, target, suffix):
    file = tmp_path / f"small{suffix}"
    export_run(finished_run, target, "int8", parts, file)
    text = file.read_bytes()
    assert b"QuantizeLinear" in text or b"FakeQuantize" in text
    found = verify_export(finished_run, file, [str(parts)]).differences
    assert all(one.score_difference > 0 for one in found)
    assert all(one.torch_image_auroc is not None for one in found)


def test_verification_accepts_the_file_and_both_runtimes_read_it(finished_run, onnx_file, parts):
    found = verify_export(finished_run, onnx_file, [str(parts / "test")])
    found.require_agreement()
    assert found.agrees
    assert [one.runtime for one in found.differences] == ["ONNX Runtime", "OpenVINO"]
    assert [one.image_count for one in found.differences] == [8, 8]


def test_verification_refuses_a_file_whose_weights_were_changed(
    finished_run, onnx_file, parts, tmp_path
):
    proto = onnx.load(onnx_file)
    for tensor in proto.graph.initializer:
        if len(tensor.dims) == 4:
            values = onnx.numpy_helper.to_array(tensor) * 1.5
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(proto, tmp_path / "changed.onnx")
    found = verify_export(finished_run, tmp_path / "changed.onnx", [str(parts)])
    assert not found.agrees
    with pytest.raises(VerificationError, match=r"does not agree with its run in ONNX Runtime"):
        found.require_agreement()


def test_the_columns_of_the_table_stay_apart():
    changed = Difference("OpenVINO", 160, 0.4, 0.6, (), 0.9003, 0.7006)
    heading, row, *_ = str(Verification(Path("a.onnx"), "fp32", (changed,))).splitlines()
    assert row.split() == ["OpenVINO", "160", "4.0e-01", "6.0e-01", "0", "0.9003", "(+0.1997)"]
    assert len(heading) == len(row)


def test_a_flipped_decision_is_never_within_tolerance(tmp_path):
    flipped = Difference("other", 1, 0.0, 0.0, (tmp_path,), None, None)
    assert not flipped.is_within(1.0)
    assert str(tmp_path) in str(Verification(tmp_path, "fp32", (flipped,)))


def test_verification_refuses_the_export_of_another_model(finished_run, onnx_file, parts, tmp_path):
    model = load_model(finished_run / "model.safetensors")
    next(model.system.parameters()).mul_(2)
    save_model(tmp_path / "model.safetensors", model)
    with pytest.raises(UsageError, match="another model"):
        verify_export(tmp_path / "model.safetensors", onnx_file, [str(parts)])


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x07" * 100])
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content, suffix):
    (tmp_path / f"model{suffix}").write_bytes(content)
    with pytest.raises(CheckpointError, match="export"):
        Detector.load(tmp_path / f"model{suffix}")


def test_a_file_is_known_by_the_bytes_that_are_executed_whatever_it_claims(
    onnx_file, openvino_file, finished_run, tmp_path
):
    claimed = Detector.load(finished_run).runner.weights_sha256
    both = openvino_file.read_bytes() + openvino_file.with_suffix(".bin").read_bytes()
    for file, content in ((onnx_file, onnx_file.read_bytes()), (openvino_file, both)):
        runner = Detector.load(file).runner
        assert runner.executed_sha256 == hashlib.sha256(content).hexdigest()
        assert runner.weights_sha256 == claimed
    proto = onnx.load(onnx_file)
    weights = next(one for one in proto.graph.initializer if one.data_type == 1 and one.raw_data)
    weights.raw_data = bytes(len(weights.raw_data))
    onnx.save(proto, tmp_path / "forged.onnx")
    forged = Detector.load(tmp_path / "forged.onnx").runner
    assert forged.weights_sha256 == claimed
    assert forged.executed_sha256 != Detector.load(onnx_file).runner.executed_sha256
    assert Detector.load(finished_run).runner.executed_sha256 == claimed


def test_int8_is_another_model_as_its_scores_differ(onnx_file, tmp_path):
    proto = onnx.load(onnx_file)
    (entry,) = proto.metadata_props
    entry.value = json.dumps({**json.loads(entry.value), "precision": "int8"})
    onnx.save(proto, tmp_path / "int8.onnx")
    runner = Detector.load(tmp_path / "int8.onnx").runner
    assert runner.weights_sha256 == runner.executed_sha256
    assert runner.weights_sha256 != Detector.load(onnx_file).runner.weights_sha256


def test_an_openvino_file_without_its_bin_is_refused(openvino_file, tmp_path):
    (tmp_path / "alone.xml").write_bytes(openvino_file.read_bytes())
    with pytest.raises(CheckpointError, match=r"alone.bin cannot be read .*keep the .bin"):
        Detector.load(tmp_path / "alone.xml")


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"format": "rcae-export-0"}', None])
def test_an_onnx_file_of_somebody_else_is_refused(onnx_file, tmp_path, text):
    proto = onnx.load(onnx_file)
    del proto.metadata_props[:]
    if text is not None:
        entry = proto.metadata_props.add()
        entry.key, entry.value = "rcae", text
    onnx.save(proto, tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match="not written by 'rcae export'"):
        Detector.load(tmp_path / "foreign.onnx")


def test_the_metadata_is_plain_json(onnx_file, finished_run):
    (entry,) = onnx.load(onnx_file).metadata_props
    plain = json.loads(entry.value)
    assert plain.keys() == {"format", "header", "precision", "weights_sha256", "exported_with"}
    assert plain["header"] == Detector.load(finished_run).header.to_plain()


def test_an_exported_model_runs_on_no_device_and_explains_nothing(onnx_file, parts):
    with pytest.raises(UsageError, match="CPU"):
        Detector.load(onnx_file, device="cuda")
    with pytest.raises(UsageError, match="run folder"):
        Detector.load(onnx_file).explain(parts / "test/good/000.png")


def test_a_large_image_is_drawn_in_tiles_where_the_camera_scale_is_kept(tmp_path, monkeypatch):
    model = untrained("model.patch_memory=false")
    export_onnx(model, "fp32", (), tmp_path / "model.onnx")
    image = np.random.default_rng(0).integers(0, 256, (300, 520, 3)).astype(np.uint8)
    whole = Detector.load(tmp_path / "model.onnx", size_limit=1e6).predict(image)
    for name, value in (("TILE_PX", 256), ("OVERLAP_PX", 128), ("MARGIN_PX", 48)):
        monkeypatch.setattr(f"rcae.model.tiles.{name}", value)
    heights = []
    execute = OnnxRunner.execute

    def watched(self, inputs):
        heights.append(inputs["images"].shape[1:3])
        return execute(self, inputs)

    monkeypatch.setattr(OnnxRunner, "execute", watched)
    tiled = Detector.load(tmp_path / "model.onnx", size_limit=1e6).predict(image)
    assert max(map(max, heights)) == 256
    np.testing.assert_allclose(tiled.anomaly_map, whole.anomaly_map, atol=1e-4)


def test_a_large_image_is_refused_where_it_is_resized_in_the_graph(onnx_file, monkeypatch):
    monkeypatch.setattr("rcae.detector.runners.exported.LARGEST_PIXELS", 1000)
    image = np.zeros((400, 500, 3), dtype=np.uint8)
    with pytest.raises(ImageError, match=r"500x400 px would be worked on.*inspect it with the run"):
        Detector.load(onnx_file, size_limit=1e6).predict(image)


def test_an_image_too_long_for_the_graphs_resizing_is_refused(onnx_file, monkeypatch):
    monkeypatch.setattr("rcae.detector.runners.exported.LARGEST_WEIGHTS", 1000)
    image = np.zeros((16, 300, 3), dtype=np.uint8)
    with pytest.raises(
        ImageError, match=r"300x16 px has a side of 300 px.*inspect it with the run"
    ):
        Detector.load(onnx_file, size_limit=1e6).predict(image)


def test_an_exported_file_knows_the_usual_sizes(exported, finished_run, parts):
    detector = Detector.load(exported)
    assert detector.usual == Detector.load(finished_run).usual
    image = resize(read_image(parts / "test/good/000.png"), 80, 80)
    with pytest.raises(ImageError, match="--size-limit"):
        detector.predict(image)
