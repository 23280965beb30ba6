"""The model file and the training state file: safetensors with a described, verified header."""

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

from rcae.base.errors import CheckpointError, UsageError
from rcae.base.storage import write_bytes
from rcae.detector.run.model_header import ModelHeader, incomplete
from rcae.model.system import RcaeSystem

FORMAT = "rcae-model-15"
METADATA_KEY = "rcae"


@dataclass(frozen=True)
class Model:
    """All that is needed to predict."""

    system: RcaeSystem
    header: ModelHeader


def save_model(path: Path, model: Model) -> None:
    """Write `model` to one safetensors file; see docs/file-format.md.

    Raises:
        StorageError: the disk refused; an older file at `path` is unchanged.
    """
    save_tensors(path, model.system.state_dict(), model.header.to_plain(), file_format=FORMAT)


def load_model(path: Path) -> Model:
    """Read a model file written by `save_model`; on the CPU, ready to predict.

    Raises:
        UsageError: there is no file at `path`.
        CheckpointError: the file is not a model file of ours, is damaged, or was changed.
    """
    tensors, plain = load_tensors(path, file_format=FORMAT)
    header = ModelHeader.from_plain(plain, path)
    system = RcaeSystem(header.settings.model)
    try:
        system.load_state_dict(tensors)
    except RuntimeError as error:
        raise incomplete(path, error) from error
    return Model(system.requires_grad_(False).eval(), header)


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, file_format: str
) -> None:
    """Tensors and a JSON header in one safetensors file, with a digest over both.

    Raises:
        StorageError: the disk refused; an older file at `path` is unchanged.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = {"format": file_format, "header": header}
    content["digest"] = _digest(plain, content)
    # One key, since safetensors writes several in any order: equal models are equal files.
    metadata = {METADATA_KEY: json.dumps(content, sort_keys=True)}
    write_bytes(path, save(plain, metadata))  # `save_file` hides the disk's errors in its own


def load_tensors(path: Path, *, file_format: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `save_tensors`; nothing is unpickled.

    Raises:
        UsageError: there is no file at `path`.
        CheckpointError: not this format, damaged, or header and tensors do not fit their digest.
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
    """What `save_tensors` put into the metadata; empty where the file is somebody else's."""
    try:
        content = json.loads(metadata.get(METADATA_KEY, "{}"))
    except json.JSONDecodeError:
        return {}
    is_ours = isinstance(content, dict) and isinstance(content.get("header"), dict)
    return content if is_ours else {}


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, hexadecimal, over every tensor, sorted by name: name, type, shape and bytes."""
    sha = hashlib.sha256()
    _update(sha, tensors)
    return sha.hexdigest()


def _digest(tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> str:
    """As `weights_sha256`, with format and header before the tensors."""
    sha = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    _update(sha, tensors)
    return sha.hexdigest()


def _update(sha: "hashlib._Hash", tensors: Mapping[str, Tensor]) -> None:
    for name in sorted(tensors):
        tensor = tensors[name].cpu()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
