"""The site has a place for every document; `make docs` builds it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
MADE = {"api.md", "commands.md", "changelog.md", "contributing.md", "security.md"}
"""Pages that docs/site/hooks.py adds, beside those of the notebooks."""


def pages(entry):
    """Every page of a part of the navigation, in order."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in pages(part)]


def test_the_navigation_names_every_document_and_notebook_once():
    documents = [path.name for path in ROOT.glob("docs/*.md")]
    notebooks = [f"notebooks/{path.stem}.md" for path in ROOT.glob("examples/notebooks/*.ipynb")]
    assert sorted(pages(SITE["nav"])) == sorted([*documents, *notebooks, *MADE])


def test_the_build_fails_for_a_page_or_link_that_is_missing():
    assert SITE["strict"]
    assert {"omitted_files", "unrecognized_links", "anchors"} <= SITE["validation"].keys()


def test_the_pages_fetch_nothing_from_elsewhere():
    assert SITE["theme"]["font"] is False
    assert not {"extra_css", "extra_javascript"} & SITE.keys()


def test_every_picture_that_the_concepts_show_is_drawn_for_them():
    shown = re.findall(r"\(pictures/([^)]+)\)", (ROOT / "docs" / "concepts.md").read_text())
    script = (ROOT / "docs" / "site" / "pictures.py").read_text()
    drawn = {
        name.replace("{kind}", kind)
        for name in re.findall(r'out / f?"([^"]+)"', script)
        for kind in ("good", "defective")
    }
    assert set(shown) == drawn
