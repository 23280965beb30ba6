import re
import shutil
import stat
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rcae.base import storage
from rcae.base.errors import MissingExtraError, SignatureError, StorageError, UsageError
from rcae.base.extras import install_command
from rcae.detector.run.keys import read_private_key, read_public_key, write_key_pair


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_the_private_key_of_a_pair_signs_the_public_one_verifies(tmp_path):
    public_key = write_key_pair(tmp_path / "new" / "line.key")
    assert public_key == tmp_path / "new" / "line.key.pub"
    signature = read_private_key(tmp_path / "new" / "line.key").sign(b"a model")
    read_public_key(public_key).verify(signature, b"a model")


def test_the_private_key_is_for_its_owner_alone(tmp_path):
    public_key = write_key_pair(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(public_key.stat().st_mode) & 0o444
    assert b"PRIVATE" not in public_key.read_bytes()


@pytest.mark.parametrize("taken", ["key", "key.pub"])
def test_no_key_is_ever_overwritten_and_no_half_pair_is_made(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UsageError, match=rf"{taken} already exists"):
        write_key_pair(tmp_path / "key")
    assert [file.name for file in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_link_is_not_followed_to_a_file_elsewhere(tmp_path):
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="already exists"):
        write_key_pair(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_full_disk_leaves_no_key(tmp_path, monkeypatch, fails_at):
    calls = []

    def flush(path):
        calls.append(path)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_flush_to_disk", flush)
    with pytest.raises(StorageError, match="No space left"):
        write_key_pair(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_keys_made_by_openssl_sign_and_verify(tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=tmp_path, capture_output=True)

    openssl("genpkey", "-algorithm", "ed25519", "-out", "key")
    openssl("pkey", "-in", "key", "-pubout", "-out", "key.pub")
    signature = read_private_key(tmp_path / "key").sign(b"a model")
    read_public_key(tmp_path / "key.pub").verify(signature, b"a model")


def test_keys_made_by_another_program_sign_and_verify(tmp_path):
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key").write_bytes(pem(key))
    (tmp_path / "key.pub").write_bytes(public_pem(key))
    signature = read_private_key(tmp_path / "key").sign(b"a model")
    read_public_key(tmp_path / "key.pub").verify(signature, b"a model")


def test_a_key_with_a_password_is_refused_in_so_many_words(tmp_path):
    encrypted = pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret"))
    (tmp_path / "key").write_bytes(encrypted)
    with pytest.raises(SignatureError, match="key is protected by a password, which is not supp"):
        read_private_key(tmp_path / "key")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense \xff",
        pem(Ed448PrivateKey.generate()),
        public_pem(Ed448PrivateKey.generate()),
        b"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
    ],
    ids=["empty", "no PEM", "other private key", "other public key", "cut off"],
)
def test_what_is_no_ed25519_key_is_named(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    for read in (read_private_key, read_public_key):
        with pytest.raises(SignatureError, match="key is not an Ed25519"):
            read(tmp_path / "key")


def test_the_keys_of_a_pair_are_not_taken_for_each_other(tmp_path):
    public_key = write_key_pair(tmp_path / "key")
    with pytest.raises(SignatureError, match="not an Ed25519 private key"):
        read_private_key(public_key)
    with pytest.raises(SignatureError, match="not an Ed25519 public key"):
        read_public_key(tmp_path / "key")


def test_a_key_that_is_not_there_is_named(tmp_path):
    for read in (read_private_key, read_public_key):
        with pytest.raises(SignatureError, match=r"key cannot be read \(No such file"):
            read(tmp_path / "key")


def test_signing_without_cryptography_says_how_to_get_it(tmp_path, monkeypatch):
    write_key_pair(tmp_path / "key")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("sign"))):
        read_private_key(tmp_path / "key")
