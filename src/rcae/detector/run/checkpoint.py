"""Model file and training state file: safetensors with a documented header and a digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rcae.base.errors import CheckpointError, PlugInError, UsageError
from rcae.base.storage import write_bytes
from rcae.detector.run.model_header import ModelHeader, incomplete
from rcae.model.system import RcaeSystem

FORMAT = "rcae-model-18"
METADATA_KEY = "rcae"


@dataclass(frozen=True)
class Model:
    """Networks and header: all that a prediction needs."""

    system: RcaeSystem
    header: ModelHeader


def save_model(path: Path, model: Model) -> None:
    """Write `model` to one safetensors file; see docs/file-format.md.

    Raises:
        StorageError: the disk refused the file; an older file at `path` is unchanged.
    """
    tensors = {name: _as_small_as_exact(one) for name, one in model.system.state_dict().items()}
    save_tensors(path, tensors, model.header.to_plain(), file_format=FORMAT)


def load_model(path: Path) -> Model:
    """Read a model file that `save_model` wrote. The model is on the CPU, ready to predict.

    Raises:
        UsageError: there is no file at `path`.
        CheckpointError: the file was not written by `save_model`, is damaged, or was changed.
        PlugInError: a kind of evidence comes from a package that is not installed, or fails.
    """
    tensors, plain = load_tensors(path, file_format=FORMAT)
    header = ModelHeader.from_plain(plain, path)
    system = _untrained(path, header)
    try:
        system.load_state_dict(tensors)
    except RuntimeError as error:
        raise incomplete(path, error) from error
    return Model(system.requires_grad_(False).eval(), header)


def _untrained(path: Path, header: ModelHeader) -> RcaeSystem:
    try:
        return RcaeSystem(header.settings.model)
    except PlugInError as error:
        used = ", ".join(f"{name} of {origin}" for name, origin in header.plug_ins.items())
        raise PlugInError(f"{path} was trained with plug-ins ({used}): {error}") from error


def _as_small_as_exact(tensor: Tensor) -> Tensor:
    """Return the tensor in half precision if that holds every value, as of pretrained weights."""
    half = tensor.half()
    return (
        half
        if tensor.is_floating_point() and torch.equal(half.to(tensor.dtype), tensor)
        else tensor
    )


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, file_format: str
) -> None:
    """Write tensors and a JSON header to one safetensors file, with a digest over both.

    Raises:
        StorageError: the disk refused the file; an older file at `path` is unchanged.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = {"format": file_format, "header": header}
    content["digest"] = _digest(plain, content)
    # Several keys would be written in any order. A single key makes equal models equal files.
    metadata = {METADATA_KEY: json.dumps(content, sort_keys=True)}
    write_bytes(path, save(plain, metadata))  # `save_file` hides the disk's errors in its own


def load_tensors(path: Path, *, file_format: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and header that `save_tensors` wrote; nothing is unpickled.

    Raises:
        UsageError: there is no file at `path`.
        CheckpointError: the file has another format, is damaged, or does not fit its digest.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a run folder or a model.safetensors file.")
    try:
        path.open("rb").close()  # of one that may not be read `safe_open` says that it is not there
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({error}); copy it again from where it was "
            "trained."
        ) from error
    content = _read_content(metadata)
    if content.get("format") != file_format:
        raise CheckpointError(
            f"{path} is of format '{content.get('format', 'unknown')}'; this version reads "
            f"'{file_format}'."
        )
    if content.pop("digest", None) != _digest(tensors, content):
        raise CheckpointError(
            f"{path} was changed after it was written: its header and tensors do not fit their "
            "digest. Do not use it; copy it again from where it was trained."
        )
    return tensors, content["header"]


def _read_content(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata that `save_tensors` wrote; empty if another program wrote the file."""
    try:
        content = json.loads(metadata.get(METADATA_KEY, "{}"))
    except json.JSONDecodeError:
        return {}
    is_ours = isinstance(content, dict) and isinstance(content.get("header"), dict)
    return content if is_ours else {}


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Return SHA-256, in hex, over name, type, shape and bytes of every tensor, sorted by name."""
    sha = hashlib.sha256()
    _update(sha, tensors)
    return sha.hexdigest()


def _digest(tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> str:
    """Return SHA-256, in hex, over format and header, and then the tensors like `weights_sha256`."""
    sha = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    _update(sha, tensors)
    return sha.hexdigest()


def _update(sha: "hashlib._Hash", tensors: Mapping[str, Tensor]) -> None:
    for name in sorted(tensors):
        tensor = tensors[name].cpu()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
