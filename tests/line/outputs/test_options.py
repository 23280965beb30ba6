"""--mqtt and --webhook, as a user gives them."""

import pytest

from rcae.base.extras import install_command

URL, BROKER = "http://127.0.0.1:9/", "mqtt://127.0.0.1:9/line"


@pytest.fixture
def refused(rcae, tmp_path):
    """What a command says that ends before it opens anything."""

    def refused(*options):
        store = tmp_path / "record.sqlite"
        code, out, err = rcae("watch", tmp_path, tmp_path / "run", "--store", store, *options)
        assert (code, out) == (2, "")
        assert not store.exists()
        return err

    return refused


def test_a_webhook_and_its_secret_need_each_other(refused, tmp_path):
    assert "need each other" in refused("--webhook", URL)
    assert "need each other" in refused("--webhook-secret-file", tmp_path / "secret")


def test_a_secret_file_that_is_not_there_is_named(refused, tmp_path):
    err = refused("--webhook", URL, "--webhook-secret-file", tmp_path / "secret")
    assert str(tmp_path / "secret") in err


def test_a_wrong_url_is_refused_from_the_environment_too(refused, monkeypatch):
    assert "--mqtt" in refused("--mqtt", "mqtt://broker")
    monkeypatch.setenv("RCAE_MQTT", "mqtt://line:hunter2@broker")
    err = refused()
    assert "--mqtt" in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("package", "options", "extra"),
    [("paho", ("--mqtt", BROKER), "mqtt"), ("httpx", ("--webhook", URL), "webhook")],
)
def test_a_missing_package_is_said_with_its_extra(
    refused, monkeypatch, tmp_path, package, options, extra
):
    (tmp_path / "secret").write_text("0123456789abcdef")
    (tmp_path / "secret").chmod(0o600)
    if package == "httpx":
        options = (*options, "--webhook-secret-file", tmp_path / "secret")
    monkeypatch.setattr(
        "rcae.base.extras.find_spec", lambda name: None if name == package else name
    )
    assert install_command(extra) in refused(*options)
