import hashlib
import json
import shutil
import subprocess
import sys

import pytest

from rcae import Detector
from rcae.base.errors import SignatureError, StorageError, UsageError
from rcae.cli import main as cli
from rcae.detector.run import signature
from rcae.detector.run.keys import read_private_key, write_key_pair
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.run.signature import sign, verify

SIGNED = ["card.html", "card.md", "data.csv", "model.safetensors", "run.json", "settings.toml"]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key"
    write_key_pair(path)
    return path


@pytest.fixture(scope="module")
def public_key(key):
    return key.with_name("key.pub")


@pytest.fixture
def signed(finished_run, key, tmp_path):
    """A run folder, its card stood in for, signed."""
    run = shutil.copytree(finished_run, tmp_path / "run")
    for name in ("card.md", "card.html"):
        (run / name).write_text("a card")
    sign(RunFolder(run), read_private_key(key))
    return run


def flip(file, position=-10):
    data = bytearray(file.read_bytes())
    data[position] ^= 1
    file.write_bytes(data)


def sign_manifest(run, key, manifest):
    """As somebody with the key could sign anything."""
    (run / "manifest.json").write_bytes(manifest)
    (run / "manifest.json.sig").write_bytes(read_private_key(key).sign(manifest))


def manifest_of(files, file_format=signature.FORMAT):
    return json.dumps({"format": file_format, "files": files}).encode()


def hash_of_model(run):
    model = run / "model.safetensors"
    return {model.name: hashlib.sha256(model.read_bytes()).hexdigest()}


@pytest.fixture
def refused(signed, public_key, parts, tmp_path, monkeypatch, capsys):
    """Predict as a user would; the model must not even be opened. Returns the error."""

    def run(*, path=signed, key=public_key):
        monkeypatch.setattr("rcae.detector.detector.open_runner", lambda *_: pytest.fail("opened"))
        image = str(parts / "test" / "good" / "000.png")
        words = ["rcae", "predict", path, image, "-o", tmp_path / "out"]
        words += ["--require-signature", key]
        monkeypatch.setattr(sys, "argv", list(map(str, words)))
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        printed = capsys.readouterr()
        assert exit_.value.code == 4
        assert printed.out == ""
        assert printed.err.startswith("rcae: error: ")
        assert printed.err.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return printed.err

    return run


def test_a_signed_run_is_loaded(signed, public_key):
    detector = Detector.load(signed, require_signature=public_key)
    assert detector.calibration == Detector.load(signed).calibration
    assert Detector.load(signed / "model.safetensors", require_signature=str(public_key))


def test_the_manifest_lists_the_hash_of_every_file_that_matters(signed):
    files = json.loads((signed / "manifest.json").read_text())["files"]
    assert sorted(files) == SIGNED
    for name, digest in files.items():
        assert digest == hashlib.sha256((signed / name).read_bytes()).hexdigest()


def test_the_model_file_alone_is_loaded_from_beside_its_manifest(signed, public_key, tmp_path):
    (tmp_path / "line").mkdir()
    for name in ("model.safetensors", "manifest.json", "manifest.json.sig"):
        shutil.copy(signed / name, tmp_path / "line")
    verify(tmp_path / "line" / "model.safetensors", public_key)


def test_a_model_file_alone_does_not_vouch_for_a_changed_card_and_the_folder_does(
    signed, public_key
):
    flip(signed / "card.md", 0)
    verify(signed / "model.safetensors", public_key)
    with pytest.raises(SignatureError, match=r"card\.md was changed"):
        verify(signed, public_key)


@pytest.mark.parametrize("name", SIGNED)
def test_a_flipped_byte_is_refused(signed, refused, name):
    flip(signed / name, -1)
    assert f"{name} was changed after it was signed" in refused()


@pytest.mark.parametrize("name", [*SIGNED, "manifest.json", "manifest.json.sig"])
def test_a_missing_file_is_refused(signed, refused, name):
    (signed / name).unlink()
    assert f"{name} cannot be read (No such file" in refused()


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig"])
def test_a_flipped_byte_in_manifest_or_signature_is_refused(signed, refused, name):
    flip(signed / name)
    assert "is not signed by the key" in refused()


@pytest.mark.parametrize("data", [b"", b"short", bytes(64), bytes(200)])
def test_what_is_no_signature_is_refused(signed, refused, data):
    (signed / "manifest.json.sig").write_bytes(data)
    assert "is not signed by the key" in refused()


def test_another_key_is_refused(refused, tmp_path):
    assert "another key signed it" in refused(key=write_key_pair(tmp_path / "other"))


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_key_that_cannot_be_used_is_refused(refused, tmp_path, content):
    if content is not None:
        (tmp_path / "bad.pub").write_bytes(content)
    assert "bad.pub" in refused(key=tmp_path / "bad.pub")


def test_a_run_that_was_never_signed_is_refused(finished_run, refused):
    assert "manifest.json cannot be read" in refused(path=finished_run)


def test_another_model_beside_a_signed_one_is_refused(signed, refused):
    shutil.copy(signed / "model.safetensors", signed / "other.safetensors")
    assert "nobody signed it" in refused(path=signed / "other.safetensors")


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "RUN", "PARTS"),
        ("serve", "RUN", "--port", 0, "--store", "STORE"),
        ("watch", "PARTS", "RUN", "--store", "STORE"),
        ("camera", 0, "RUN", "--store", "STORE"),
    ],
)
def test_what_else_inspects_wants_the_signature_as_well(
    signed, public_key, parts, tmp_path, rcae, monkeypatch, words
):
    flip(signed / "model.safetensors")
    monkeypatch.setattr("rcae.detector.detector.open_runner", lambda *_: pytest.fail("opened"))
    places = {"RUN": signed, "PARTS": parts, "STORE": tmp_path / "record.sqlite"}
    code, _, error = rcae(*(places.get(w, w) for w in words), "--require-signature", public_key)
    assert code == 4
    assert "was changed after it was signed" in error


def test_a_path_that_does_not_exist_is_a_wrong_request(tmp_path, public_key):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        verify(tmp_path / "nowhere", public_key)


@pytest.mark.parametrize("name", ["../secret", "/secret", "sub/../../secret", "sub/file", "..", ""])
def test_a_manifest_that_leads_out_of_its_folder_is_not_followed(signed, key, refused, name):
    secret = signed.parent / "secret"
    secret.write_text("secret")
    name = str(secret) if name == "/secret" else name
    digest = hashlib.sha256(b"secret").hexdigest()
    sign_manifest(signed, key, manifest_of({**hash_of_model(signed), name: digest}))
    assert "files of its own folder alone" in refused()


@pytest.mark.parametrize(
    "manifest",
    [
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"{}",
        manifest_of([]),
        manifest_of({"model.safetensors": "0"}, "another format"),
    ],
)
def test_something_else_that_the_key_signed_is_no_manifest(signed, key, refused, manifest):
    sign_manifest(signed, key, manifest)
    assert "is not a manifest of the format" in refused()


def test_a_name_that_no_file_can_have_is_refused(signed, key, refused):
    sign_manifest(signed, key, manifest_of({**hash_of_model(signed), "a\0b": "0"}))
    assert "cannot be read" in refused()


def test_a_hash_of_another_type_fits_no_file(signed, key, refused):
    sign_manifest(signed, key, manifest_of({"model.safetensors": None}))
    assert "was changed" in refused()


@pytest.fixture
def exported(signed, key):
    """Stand-ins for exported files, signed with the run."""
    for name in ("parts.onnx", "parts.xml", "parts.bin"):
        (signed / name).write_text(name)
    sign(RunFolder(signed), read_private_key(key))
    return signed


def test_exported_files_are_signed_with_the_run(exported, public_key):
    for name in ("parts.onnx", "parts.xml"):
        verify(exported / name, public_key)
    verify(exported, public_key)


@pytest.mark.parametrize(
    ("loaded", "changed"),
    [("parts.onnx", "parts.onnx"), ("parts.xml", "parts.xml"), ("parts.xml", "parts.bin")],
)
def test_a_changed_export_is_refused_its_weights_included(exported, refused, loaded, changed):
    flip(exported / changed, 0)
    assert f"{changed} was changed" in refused(path=exported / loaded)
    (exported / changed).unlink()
    if changed != loaded:
        assert f"{changed} cannot be read" in refused(path=exported / loaded)


def test_an_export_made_after_signing_is_refused_until_signed_anew(
    signed, key, public_key, refused
):
    (signed / "late.onnx").write_text("late")
    assert "late.onnx is not in the manifest" in refused(path=signed / "late.onnx")
    sign(RunFolder(signed), read_private_key(key))
    verify(signed / "late.onnx", public_key)


def test_a_file_changed_after_signing_is_signed_anew(signed, key, public_key):
    (signed / "card.md").write_text("a new card")
    sign(RunFolder(signed), read_private_key(key))
    verify(signed, public_key)


def test_signing_half_done_is_refused_and_a_folder_that_lacks_a_file_is_not_signed(
    signed, key, refused, monkeypatch
):
    def full(path, data):
        if path.suffix == ".sig":
            raise StorageError("full")
        path.write_bytes(data)

    (signed / "card.md").write_text("a new card")
    with monkeypatch.context() as patch:
        patch.setattr(signature, "write_bytes", full)
        with pytest.raises(StorageError):
            sign(RunFolder(signed), read_private_key(key))
    assert "is not signed by the key" in refused()
    (signed / "data.csv").unlink()
    with pytest.raises(SignatureError, match=r"data\.csv cannot be read"):
        sign(RunFolder(signed), read_private_key(key))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_the_signature_without_this_package(signed, public_key):
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public_key, "-rawin"]
    command += ["-in", "manifest.json", "-sigfile", "manifest.json.sig"]
    assert subprocess.run(command, cwd=signed, check=False, capture_output=True).returncode == 0
    flip(signed / "manifest.json")
    assert subprocess.run(command, cwd=signed, check=False, capture_output=True).returncode != 0
