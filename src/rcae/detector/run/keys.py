"""Ed25519 keys as PEM files, to make and to read. The private key signs, the public key verifies."""

from pathlib import Path
from typing import TYPE_CHECKING

from rcae.base.errors import SignatureError
from rcae.base.extras import require
from rcae.base.storage import write_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644


def write_key_pair(path: Path) -> Path:
    """Make a new pair: the private key at `path`, the public key at `path`.pub.

    Only the owner can read the private key. The formats are PKCS8 without a password, and
    SubjectPublicKeyInfo. `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write the same.

    Returns:
        The path of the public key.

    Raises:
        MissingExtraError: cryptography is not installed.
        UsageError: one of the files exists; no file is made then.
        StorageError: the disk refused a file; no file is made then.
    """
    require("cryptography", purpose="a signing key")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public_path = path.parent / f"{path.name}.pub"
    write_new(public_path, public, PUBLIC_MODE)
    try:
        write_new(path, private, PRIVATE_MODE)
    except BaseException:
        public_path.unlink()
        raise
    return public_path


def read_private_key(path: Path) -> "Ed25519PrivateKey":
    """Read the private key, which signs, from PEM.

    Raises:
        MissingExtraError: cryptography is not installed.
        SignatureError: the file is not readable, has a password, or is no Ed25519 private key.
    """
    require("cryptography", purpose="signing")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content(path)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SignatureError(
            f"{path} is protected by a password, which is not supported; sign with a key without "
            "one, which 'rcae keygen -o KEY' makes."
        ) from error
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(
            f"{path} is not an Ed25519 private key in PEM; give one that 'rcae keygen -o KEY' wrote."
        )
    return key


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """Read the public key, which verifies, from PEM.

    Raises:
        MissingExtraError: cryptography is not installed.
        SignatureError: the file is not readable, or is no Ed25519 public key.
    """
    require("cryptography", purpose="verifying a signature")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _content(path)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(
            f"{path} is not an Ed25519 public key in PEM; give the KEY.pub that 'rcae keygen -o KEY' "
            "wrote."
        )
    return key


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SignatureError(
            f"the key file {path} cannot be read ({error.strerror or error}); give one that "
            "'rcae keygen -o KEY' wrote."
        ) from error
