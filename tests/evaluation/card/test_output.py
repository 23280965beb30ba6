"""The card as files: complete in itself, safe with hostile names, and the same in both."""

import errno
import html
import json
import re
from pathlib import Path

import pytest

from rcae.base.errors import ImageError, StorageError
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.card.output import write_card
from tests.evaluation.card.conftest import write_evaluation
from tests.evaluation.test_report import HOSTILE, Page, require_self_contained

SCORES = {"good": [0.5, 0.6, 0.7, 1.5], "scratch": [0.65, 1.2, 1.9], "dent": [0.4, 0.55, 1.1]}


@pytest.fixture
def evaluated(run):
    write_evaluation(run, SCORES)
    return run


def read_page(run):
    page = Page()
    page.feed((run / "card.html").read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def cells(line):
    """Of a row of a Markdown table, as a reader of Markdown divides it."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def unescaped(markdown):
    return re.sub(r"\\(.)", r"\1", markdown)


def test_a_user_writes_the_card_of_a_run_that_was_not_evaluated(rcae, run):
    code, out, err = rcae("card", run)
    assert (code, out) == (0, "")
    assert err == f"card: {run / 'card.html'}\n"
    for name in ("card.md", "card.html"):
        assert "This model was not evaluated" in (run / name).read_text(encoding="utf-8")


def test_a_user_evaluates_signs_and_predicts_with_what_was_signed(rcae, run, parts, tmp_path):
    key, new = tmp_path / "key", parts / "test" / "good" / "000.png"
    assert rcae("keygen", "-o", key)[0] == 0
    assert rcae("evaluate", run, parts)[0] == 0
    code, _, err = rcae("card", run, "--licence", "CC BY 4.0", "--sign", key)
    assert code == 0
    assert f"signed: {run / 'manifest.json'}" in err
    options = ["--require-signature", tmp_path / "key.pub"]
    assert rcae("predict", run, new, "-o", tmp_path / "1", *options)[0] == 0
    (run / "card.md").write_text("better")
    assert rcae("predict", run, new, "-o", tmp_path / "2", *options)[0] == 4
    assert rcae("card", run, "--sign", key)[0] == 0
    assert rcae("predict", run, new, "-o", tmp_path / "2", *options)[0] == 0


def test_a_card_that_makes_the_signature_old_says_so(rcae, run, tmp_path):
    rcae("keygen", "-o", tmp_path / "key")
    rcae("card", run, "--sign", tmp_path / "key")
    assert "add --sign KEY" in rcae("card", run)[2]


def test_with_a_key_that_cannot_sign_no_card_is_written(rcae, run, tmp_path):
    rcae("keygen", "-o", tmp_path / "key")
    code, _, err = rcae("card", run, "--sign", tmp_path / "key.pub", "--licence", "CC0")
    assert code == 4
    assert "not an Ed25519 private key" in err
    assert not (run / "card.md").exists()
    assert "licence" not in (run / "run.json").read_text()


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_folder_without_a_run_is_a_wrong_request(rcae, tmp_path, place):
    code, _, err = rcae("card", tmp_path / place)
    assert code == 2
    assert "model.safetensors does not exist" in err
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_has_no_card(rcae, run):
    (run / "model.safetensors").write_bytes(b"nonsense")
    assert rcae("card", run)[0] == 4
    assert not (run / "card.md").exists()


def test_the_licence_is_kept_for_later_cards_and_changed_by_another(run):
    write_card(RunFolder(run), "CC BY 4.0")
    write_card(RunFolder(run))
    assert "CC BY 4.0" in (run / "card.md").read_text()
    before = RunFolder(run).read_record()
    assert before["data"].pop("licence") == "CC BY 4.0"
    write_card(RunFolder(run), "ours\nalone")
    after = RunFolder(run).read_record()
    assert after["data"].pop("licence") == r"ours\nalone"
    assert before == after  # and nothing else of the record was changed


def test_both_files_say_the_same(evaluated):
    write_card(RunFolder(evaluated))
    markdown = (evaluated / "card.md").read_text(encoding="utf-8")
    page = read_page(evaluated)
    of_page = [" ".join(e.text.split()) for e in page.all("td", "th", "li", "h2") if e.text.strip()]
    of_page = [text for text in of_page if "good-" not in text and "painted-" not in text]
    in_markdown = []
    for line in markdown.splitlines():
        if line.startswith("|"):
            in_markdown += [unescaped(c) for c in cells(line) if c.strip("-")]
        elif line.startswith(("- ", "## ")):
            in_markdown.append(unescaped(line.split(" ", 1)[1]))
    assert [" ".join(text.split()) for text in in_markdown] == of_page
    assert len(of_page) > 60


def test_the_page_fetches_nothing_and_runs_no_script(evaluated):
    write_card(RunFolder(evaluated))
    require_self_contained(read_page(evaluated), evaluated / "card.html")


def test_every_sample_is_on_the_page_and_linked_from_markdown(run):
    write_card(RunFolder(run))
    links = re.findall(r"!\[.+\]\((.+)\)", (run / "card.md").read_text())
    assert links == [f"samples/{kind}-{n}.png" for n in (1, 2, 3) for kind in ("good", "painted")]
    assert all((run / link).is_file() for link in links)
    assert len(read_page(run).all("img")) == 6
    assert all(image.attributes["alt"] for image in read_page(run).all("img"))


def test_without_samples_the_card_has_no_pictures(run):
    for file in (run / "samples").iterdir():
        file.unlink()
    write_card(RunFolder(run))
    for name in ("card.md", "card.html"):
        assert "Example pictures" not in (run / name).read_text(encoding="utf-8")


def test_a_damaged_sample_is_named_and_nothing_is_written(run):
    (run / "samples" / "good-2.png").write_bytes(b"nonsense")
    with pytest.raises(ImageError, match=r"good-2\.png"):
        write_card(RunFolder(run), "CC0")
    assert not (run / "card.md").exists()
    assert "licence" not in RunFolder(run).read_record()["data"]


def test_hostile_names_stay_text_in_both_files(run):
    hostile = HOSTILE + "|`*_[x](http://x)\n# x\x1b"
    record = json.loads((run / "run.json").read_text())
    record["data"]["category"] = hostile
    (run / "run.json").write_text(json.dumps(record))
    write_evaluation(run, {"good": [0.5, 0.6], hostile: [0.4, 1.2]}, category=hostile)
    write_card(RunFolder(run), hostile)
    page = read_page(run)
    shown = hostile.replace("\n", r"\n").replace("\x1b", r"\x1b")
    assert shown in page.all("title")[0].text
    assert not page.all("script")
    assert {e.tag for e in page.all("img")} == {"img"}
    assert all(e.attributes["src"].startswith("data:") for e in page.all("img"))
    markdown = (run / "card.md").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)[<`*_]", markdown)
    assert not re.search(r"(?<!\\)\[x", markdown)
    assert "\x1b" not in markdown
    assert "\n# x" not in markdown
    widths = {len(cells(line)) for line in markdown.splitlines() if line.startswith("|")}
    assert widths == {2, 3, 7}
    assert shown in unescaped(markdown)
    assert (
        html.escape(shown, quote=False) not in markdown
    )  # no HTML in Markdown: escaped its own way


def test_a_defect_type_whose_name_is_no_text_is_shown_escaped(run):
    write_evaluation(run, {"good": [0.5, 0.6], "riss": [0.4, 1.2]})
    for name in ("metrics.json", "scores.csv"):
        file = run / "evaluation" / name
        file.write_bytes(file.read_bytes().replace(b"riss", b"ri\xdf"))
    write_card(RunFolder(run))
    assert r"ri\udcdf" in unescaped((run / "card.md").read_text(encoding="utf-8"))


def test_a_full_disk_leaves_the_old_card_whole(run, monkeypatch):
    (run / "card.md").write_text("the old card")

    def half_a_file(self, data):
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_a_file)
    with pytest.raises(StorageError, match=r"card\.md.*No space left"):
        write_card(RunFolder(run))
    assert (run / "card.md").read_text() == "the old card"


def test_the_page_can_be_read_with_a_screen_reader(evaluated):
    write_card(RunFolder(evaluated))
    page = read_page(evaluated)
    assert page.all("html")[0].attributes["lang"] == "en"
    assert all(header.attributes["scope"] in {"row", "col"} for header in page.all("th"))
    assert len(page.all("h1")) == 1
    assert all(e.attributes["aria-label"] for e in page.elements if "tabindex" in e.attributes)
