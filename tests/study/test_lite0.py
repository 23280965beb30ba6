import pickle
from collections import OrderedDict

import pytest
import torch

from rcae.base.errors import CheckpointError
from rcae.study.lite0 import read_legacy_archive


def tensors():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 5, 2, generator=generator)
    return OrderedDict(
        weight=weight,
        other_layout=weight.permute(2, 0, 3, 1).clone(memory_format=torch.preserve_format),
        bias=torch.randn(300, generator=generator),
        batches=torch.tensor(7),
    )


def archive(path, content):
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_every_tensor_of_a_legacy_archive_is_read_as_it_was_written(tmp_path):
    written = tensors()
    read = read_legacy_archive(archive(tmp_path / "weights.pth", written), written)
    assert list(read) == list(written)
    for name, tensor in written.items():
        assert torch.equal(read[name], tensor), name
        assert read[name].dtype == tensor.dtype


def test_names_are_those_expected_in_the_same_order(tmp_path):
    written = tensors()
    expected = {f"renamed.{name}": tensor for name, tensor in written.items()}
    read = read_legacy_archive(archive(tmp_path / "weights.pth", written), expected)
    assert torch.equal(read["renamed.bias"], written["bias"])


def test_code_in_an_archive_is_never_run(tmp_path):
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return open, (str(ran), "w")

    path = archive(tmp_path / "weights.pth", tensors())
    path.write_bytes(pickle.dumps(Trap(), 2) + path.read_bytes())
    with pytest.raises(CheckpointError):
        read_legacy_archive(path, tensors())
    assert not ran.exists()


@pytest.mark.parametrize("kept", [0, 10, 200, -100, -4])
def test_a_cut_archive_is_refused_by_name(tmp_path, kept):
    path = archive(tmp_path / "weights.pth", tensors())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        read_legacy_archive(path, tensors())


def test_other_tensors_than_expected_are_refused(tmp_path):
    path = archive(tmp_path / "weights.pth", tensors())
    fewer = dict(list(tensors().items())[:2])
    other = tensors() | {"bias": torch.zeros(299)}
    for expected in (fewer, other):
        with pytest.raises(CheckpointError):
            read_legacy_archive(path, expected)
