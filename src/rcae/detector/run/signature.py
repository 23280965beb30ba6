"""Signature of a run folder: a manifest of its files' hashes, and an Ed25519 signature over it.

The signature (Bernstein et al., 2012; RFC 8032) has 64 bytes, and signs the exact bytes of the manifest.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rcae.base.errors import SignatureError, UsageError
from rcae.base.storage import write_bytes
from rcae.detector.run.keys import read_public_key
from rcae.detector.run.run_folder import RunFolder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "rcae-manifest-1"
EXPORTED = ("*.onnx", "*.xml", "*.bin")
SIGN_ANEW = "If it is meant to be so, 'rcae card RUN --sign KEY' signs anew."


def sign(folder: RunFolder, key: "Ed25519PrivateKey") -> None:
    """Write manifest and signature of a run folder: model, card, settings, record, data list, exports.

    An interruption between the two leaves a signature that does not fit; verification refuses it.

    Raises:
        SignatureError: a file cannot be read.
        StorageError: the disk refused a file.
    """
    files = [folder.model, folder.card, folder.card_page]
    files += [folder.settings, folder.record, folder.data]
    files += [file for pattern in EXPORTED for file in folder.path.glob(pattern)]
    hashes = {file.name: _sha256(file) for file in files}
    content = {"format": FORMAT, "files": hashes}
    manifest = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    write_bytes(folder.manifest, manifest)
    write_bytes(folder.signature, key.sign(manifest))


def verify(path: Path, public_key: Path) -> None:
    """Refuse a model that differs in any byte from the signed one.

    A run folder is checked as a whole: every file in the manifest. A single file is checked alone, an
    OpenVINO .xml together with its weights (.bin). Such a file may lie in any folder, beside manifest
    and signature.

    Args:
        path: Run folder, `model.safetensors` or exported file, about to be loaded.
        public_key: PEM file with the public key of the signer.

    Raises:
        UsageError: there is nothing at `path`.
        MissingExtraError: cryptography is not installed.
        SignatureError: manifest or signature is missing, or not of this key. A file is missing, not in
            the manifest, or changed after signing. The key file cannot be used.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist; give a run folder or a model file.")
    folder = RunFolder(path if path.is_dir() else path.parent)
    hashes = _signed_hashes(folder, public_key)
    names = {path.name}
    if path.is_dir():
        names = {folder.model.name, *hashes}
    elif path.suffix == ".xml":
        names.add(path.with_suffix(".bin").name)
    for name in sorted(names):
        _check(folder.path / name, hashes)


def _signed_hashes(folder: RunFolder, public_key: Path) -> dict[str, str]:
    """Return SHA-256 by file name, from a manifest that the key signed."""
    key = read_public_key(public_key)
    from cryptography.exceptions import InvalidSignature

    manifest, signature = _content(folder.manifest), _content(folder.signature)
    try:
        key.verify(signature, manifest)
    except InvalidSignature as error:
        raise SignatureError(
            f"{folder.manifest} is not signed by the key {public_key}: it or its signature was "
            f"changed, or another key signed it. Do not use {folder.path}; copy it again from where "
            "it was signed, or give the right key."
        ) from error
    try:
        content = json.loads(manifest)
    except ValueError:
        content = None
    if not _is_manifest(content):
        raise SignatureError(
            f"{folder.manifest} is signed, but is not a manifest of the format '{FORMAT}' that names "
            f"files of its own folder alone. {SIGN_ANEW}"
        )
    hashes: dict[str, str] = content["files"]
    return hashes


def _is_manifest(content: Any) -> bool:
    """Return True if the content has our format, and no name leads out of the folder."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return False
    files = content.get("files")
    return isinstance(files, dict) and all(
        name == Path(name).name and name not in ("", "..") for name in files
    )


def _check(file: Path, hashes: Mapping[str, str]) -> None:
    if file.name not in hashes:
        raise SignatureError(
            f"{file} is not in the manifest beside it: nobody signed it. {SIGN_ANEW}"
        )
    if _sha256(file) != hashes[file.name]:
        raise SignatureError(
            f"{file} was changed after it was signed. Do not use it; copy it again from where it "
            f"was signed. {SIGN_ANEW}"
        )


def _sha256(file: Path) -> str:
    return hashlib.sha256(_content(file)).hexdigest()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name in the manifest that can be none
        raise SignatureError(
            f"{file} cannot be read ({getattr(error, 'strerror', None) or error}), and without it "
            "nothing is signed or verified. Copy it again from where it was trained or signed."
        ) from error
