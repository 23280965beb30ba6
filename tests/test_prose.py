"""Documents stay short: limits on words, and on the length of every sentence."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LONGEST_SENTENCE = 24

FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
BLOCK_START = re.compile(r"^\s*([-*>] |\d+\. )")
LEFT_OUT = re.compile(r"^\s*(\||#|!\[|<!--|\[[^\]]+\]: )")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
ABBREVIATION = re.compile(r"\b(et al|e\.g|i\.e|vs|cf|approx|No|Nos|Dr|St)\.", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*_\]]*\s+(?=[\"'(*_\[]*[A-Z0-9\u00c0-\u024f§=→])")


def words(text):
    return len(text.split())


def blocks(text):
    """Paragraphs and list items, each as one line, without code, tables and headings."""
    found = [[]]
    for line in FENCE.sub("", text).splitlines():
        if not line.strip() or LEFT_OUT.match(line):
            found.append([])
            continue
        if BLOCK_START.match(line):
            found.append([])
            line = BLOCK_START.sub("", line)
        found[-1].append(line.strip())
    return [" ".join(lines) for lines in found if lines]


def sentences(text):
    for block in blocks(text):
        plain = re.sub(r"`[^`]*`", "CODE", block)
        plain = LINK.sub(lambda link: link[1][:1].upper() + link[1][1:], plain)
        yield from SENTENCE_END.split(ABBREVIATION.sub(r"\1", plain))


def test_the_splitter_sees_each_sentence():
    text = "One. Two e.g. here, at 0.5 px. `code.py` is *three*! Is [it](a.md) four?\n\n- Five\n- Six\n"
    text += "\n```sh\nnot this. Nor this.\n```\n| nor. This |\n"
    assert list(sentences(text)) == [
        "One.",
        "Two e.g here, at 0.5 px.",
        "CODE is *three*!",
        "Is It four?",
        "Five",
        "Six",
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_is_too_long(document):
    text = document.read_text(encoding="utf-8")
    assert [each for each in sentences(text) if words(each) > LONGEST_SENTENCE] == []


def test_the_readme_fits_its_limit():
    assert words((ROOT / "README.md").read_text(encoding="utf-8")) <= 1200


def test_the_documents_fit_their_limit():
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob("docs/*.md")]
    assert sum(map(words, texts)) <= 16_000


def test_the_experiments_fit_their_limit():
    assert words((ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")) <= 2500


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_figure_can_be_printed_again(document):
    """No result rests on a script that the repository lacks."""
    assert "not kept" not in document.read_text(encoding="utf-8")
