import errno
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rcae.base.errors import CheckpointError, StorageError, UsageError
from rcae.data.view.part_frame import PartFrame
from rcae.detector.run.checkpoint import _digest, load_model, load_tensors, save_model, save_tensors
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.runners.torch_runner import TorchRunner
from rcae.model.evidence.patch_memory import SCALES
from tests.conftest import files_of_at_most


@pytest.fixture
def model(finished_run):
    return load_model(finished_run / "model.safetensors")


def read_parts(path):
    """Header and tensor bytes of a safetensors file, by its public format."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write_parts(path, header, tensors):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)


def test_a_saved_model_comes_back_whole(model, tmp_path):
    save_model(tmp_path / "copy.safetensors", model)
    again = load_model(tmp_path / "copy.safetensors")
    assert again.header == model.header
    image = np.random.default_rng(0).random((40, 33, 3), dtype=np.float32)
    maps = [TorchRunner(one).maps([image])[0] for one in (again, model)]
    assert np.array_equal(*maps)


@pytest.mark.parametrize("still_at_px", [None, (20, 15)])
def test_the_frame_of_the_part_comes_back_as_it_was(model, tmp_path, still_at_px):
    frame = PartFrame(0.75, 0.1, 30, 32, 12, 14, still_at_px)
    view = replace(model.header.working_view, frame=frame)
    framed = replace(model, header=replace(model.header, working_view=view))
    save_model(tmp_path / "framed.safetensors", framed)
    assert load_model(tmp_path / "framed.safetensors").header == framed.header


def test_a_frame_exported_before_frames_could_stand_still_follows_its_part(model):
    plain = replace(
        model.header,
        working_view=replace(model.header.working_view, frame=PartFrame(0.75, 0.1, 30, 32, 12, 14)),
    ).to_plain()
    del plain["working_view"]["frame"]["still_at_px"]
    again = ModelHeader.from_plain(plain, Path("model.safetensors"))
    assert again.working_view.frame.still_at_px is None


FRAME = {
    "ground": 0.75,
    "contrast": 0.1,
    "back_px": 30,
    "forth_px": 32,
    "above_px": 12,
    "below_px": 14,
}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"frame": frame} for frame in ("turned", [1, 2], {}, {"still_at_px": 5})),
        {"frame": FRAME | {"ground": "white"}},
        {"frame": FRAME | {"back_px": 0}},
        {"frame": FRAME | {"above_px": 12.5}},
        {"frame": FRAME | {"still_at_px": [20]}},
        {"frame": FRAME | {"still_at_px": ["left", "top"]}},
        *({"scale": scale} for scale in (0.0, -0.5, 2.0, float("nan"), "half", None)),
        *({"squashed_px": side_px} for side_px in (0, 64.5, [64, 64])),
        *({"brightness": brightness} for brightness in (0.0, 255.0, "dark")),
    ],
    ids=str,
)
def test_a_view_that_no_image_can_be_brought_to_is_refused(model, wrong):
    plain = model.header.to_plain()
    plain["working_view"].update(wrong)
    (rule,) = wrong
    with pytest.raises(
        CheckpointError, match=rf"does not hold a complete model \({rule}.*received"
    ):
        ModelHeader.from_plain(plain, Path("model.safetensors"))


@pytest.mark.parametrize("missing", ["scale", "squashed_px", "brightness", "frame"])
def test_a_view_with_a_rule_missing_is_refused(model, missing):
    plain = model.header.to_plain()
    del plain["working_view"][missing]
    with pytest.raises(CheckpointError, match=f"does not hold a complete model.*{missing}"):
        ModelHeader.from_plain(plain, Path("model.safetensors"))


def test_saving_twice_gives_the_same_bytes(model, tmp_path):
    save_model(tmp_path / "a", model)
    save_model(tmp_path / "b", model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_half_precision_holds_exactly_takes_half_the_place_and_comes_back_as_it_was(
    model, tmp_path
):
    save_model(tmp_path / "file", model)
    saved, expected = load_file(tmp_path / "file"), model.system.state_dict()
    kinds = [name for name in expected if name.endswith(".patches")]
    frozen = [name for name, one in model.system.pretrained.named_parameters(prefix="pretrained")]
    assert len(kinds) == len(SCALES)
    assert frozen
    assert {saved[name].dtype for name in (*kinds, *frozen)} == {torch.float16}
    learnt = [
        name for name, _ in model.system.named_parameters() if not name.startswith("pretrained.")
    ]
    assert any(name.endswith("weight") for name in learnt)
    for name in learnt:
        is_exact = torch.equal(expected[name].half().float(), expected[name])
        assert saved[name].dtype == (torch.float16 if is_exact else torch.float32)
    assert saved["detection.network.head.weight"].dtype == torch.float32
    again = load_model(tmp_path / "file").system.state_dict()
    assert again.keys() == expected.keys()
    for name, tensor in again.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_the_file_needs_nothing_but_safetensors_to_be_read(finished_run):
    tensors = load_file(finished_run / "model.safetensors")
    header, _ = read_parts(finished_run / "model.safetensors")
    assert {name.split(".")[0] for name in tensors} == {
        "reconstruction",
        "detail",
        "detection",
        "restoration",
        "evidence_kinds",
        "fusion",
        "pretrained",
        "ground",
    }
    content = json.loads(header["__metadata__"]["rcae"])
    assert content.keys() == {"format", "header", "digest"}
    assert content["header"].keys() == {"settings", "working_view", "calibration", "provenance"}


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["calibration"].update(threshold=99.0),
        lambda content: content["settings"]["model"].update(smoothing_px=7),
        lambda content: content["working_view"].update(scale=0.5),
        lambda content: content["provenance"].update(category="other"),
    ],
)
def test_a_changed_header_is_refused(finished_run, tmp_path, change):
    header, tensors = read_parts(finished_run / "model.safetensors")
    content = json.loads(header["__metadata__"]["rcae"])
    change(content["header"])
    header["__metadata__"]["rcae"] = json.dumps(content, sort_keys=True)
    write_parts(tmp_path / "changed.safetensors", header, tensors)
    with pytest.raises(
        CheckpointError, match=r"changed\.safetensors was changed after it was written"
    ):
        load_model(tmp_path / "changed.safetensors")


def test_a_single_changed_weight_is_refused(finished_run, tmp_path):
    header, tensors = read_parts(finished_run / "model.safetensors")
    write_parts(tmp_path / "changed", header, tensors[:100] + b"\x01" + tensors[101:])
    with pytest.raises(CheckpointError, match="was changed"):
        load_model(tmp_path / "changed")


def test_a_renamed_tensor_is_refused(finished_run, tmp_path):
    header, tensors = read_parts(finished_run / "model.safetensors")
    header["reconstruction.lift.other"] = header.pop("reconstruction.lift.weight")
    write_parts(tmp_path / "changed", header, tensors)
    with pytest.raises(CheckpointError, match="was changed"):
        load_model(tmp_path / "changed")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 a zip", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}"]
)
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_model(path)


def test_a_truncated_file_is_refused(finished_run, tmp_path):
    data = (finished_run / "model.safetensors").read_bytes()
    for length in (4, 100, len(data) // 2, len(data) - 1):
        path = tmp_path / "cut.safetensors"
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="not a readable safetensors file"):
            load_model(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(
        CheckpointError, match="format 'unknown'; this version reads 'rcae-model-18'"
    ):
        load_model(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("text", ["{", "[]", "null", '"text"', '{"format": "rcae-model-18"}'])
def test_metadata_that_is_not_ours_is_refused(tmp_path, text):
    save_file({"weight": torch.zeros(3)}, tmp_path / "odd.safetensors", {"rcae": text})
    with pytest.raises(CheckpointError, match=r"odd\.safetensors"):
        load_model(tmp_path / "odd.safetensors")


def test_a_training_state_is_not_taken_for_a_model(tmp_path):
    save_tensors(tmp_path / "state", {"a": torch.zeros(1)}, {}, file_format="rcae-training-9")
    with pytest.raises(CheckpointError, match="rcae-training-9"):
        load_model(tmp_path / "state")


@pytest.mark.parametrize("missing", ["settings", "working_view", "calibration", "provenance"])
def test_a_model_with_a_part_missing_is_refused(model, tmp_path, missing):
    save_model(tmp_path / "whole", model)
    tensors, header = load_tensors(tmp_path / "whole", file_format="rcae-model-18")
    del header[missing]
    save_tensors(tmp_path / "part", tensors, header, file_format="rcae-model-18")
    with pytest.raises(CheckpointError, match="does not hold a complete model"):
        load_model(tmp_path / "part")


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("provenance", {"training_images": "many"}),
        ("provenance", {"category": None}),
        ("provenance", {"fine_tuned_on": 5}),
        ("calibration", {"threshold": float("nan")}),
        ("calibration", {"threshold": float("inf")}),
        ("calibration", {"scores": [0.5, float("nan")]}),
    ],
    ids=str,
)
def test_a_provenance_or_calibration_that_nothing_can_be_told_from_is_refused(model, part, wrong):
    plain = model.header.to_plain()
    plain[part] = {**plain[part], **wrong}
    (rule,) = wrong
    with pytest.raises(CheckpointError, match=rf"not hold a complete model \({rule}.*received"):
        ModelHeader.from_plain(plain, Path("model.safetensors"))


@pytest.mark.parametrize("missing", ["category", "training_images", "data_sha256"])
def test_a_provenance_that_does_not_say_what_was_trained_on_is_refused(model, missing):
    plain = model.header.to_plain()
    plain["provenance"] = {k: v for k, v in plain["provenance"].items() if k != missing}
    with pytest.raises(
        CheckpointError, match=f"not hold a complete model .{missing}: Field required"
    ):
        ModelHeader.from_plain(plain, Path("model.safetensors"))


def test_a_category_whose_name_is_no_text_comes_back(model):
    provenance = {**model.header.provenance, "category": "bad\udcff"}
    header = replace(model.header, provenance=provenance)
    assert ModelHeader.from_plain(header.to_plain(), Path("model.safetensors")) == header


@pytest.mark.parametrize("content", [{}, {"header": []}], ids=str)
def test_a_file_without_a_header_is_none_of_ours(tmp_path, content):
    content = {"format": "rcae-model-18", **content}
    tensors = {"weight": torch.zeros(3)}
    metadata = {"rcae": json.dumps({**content, "digest": _digest(tensors, content)})}
    save_file(tensors, tmp_path / "forged.safetensors", metadata)
    with pytest.raises(CheckpointError, match="format 'unknown'"):
        load_model(tmp_path / "forged.safetensors")


def test_weights_of_other_settings_are_refused(model, tmp_path):
    save_model(tmp_path / "whole", model)
    tensors, header = load_tensors(tmp_path / "whole", file_format="rcae-model-18")
    header["settings"]["model"]["carried_channels"] = 5
    save_tensors(tmp_path / "part", tensors, header, file_format="rcae-model-18")
    with pytest.raises(CheckpointError, match="does not hold a complete model"):
        load_model(tmp_path / "part")


def test_a_missing_file_is_a_wrong_request(tmp_path):
    with pytest.raises(UsageError, match="does not exist; give a run folder"):
        load_model(tmp_path / "gone.safetensors")


def test_a_file_that_may_not_be_read_is_not_called_missing(finished_run, monkeypatch):
    def refuse(path, _mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not .*Permission denied"):
        load_model(finished_run / "model.safetensors")


def test_all_kinds_of_tensors_survive(tmp_path):
    tensors = {
        "scalar": torch.tensor(7),
        "strided": torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "empty": torch.zeros(0, 3),
    }
    save_tensors(tmp_path / "file", tensors, {"a": [1, None]}, file_format="test")
    again, header = load_tensors(tmp_path / "file", file_format="test")
    assert header == {"a": [1, None]}
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


def test_a_full_disk_leaves_the_old_model(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, model)
    before = path.read_bytes()
    with files_of_at_most(len(before) - 1), pytest.raises(StorageError, match="File too large"):
        save_model(path, model)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
