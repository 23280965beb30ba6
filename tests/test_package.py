"""What a package index shows, and that one place says which version this is."""

import re
import tomllib
from pathlib import Path

import yaml

from setup import index_page

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
VERSIONS = re.findall(
    r"^## (\d+\.\d+\.\d+) - (unreleased|\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE
)


def test_the_changelog_has_a_section_for_the_version_and_dates_only_what_is_released():
    assert len(VERSIONS) == CHANGELOG.count("\n## ")
    version, date = VERSIONS[0]
    assert PROJECT["version"] == (f"{version}.dev0" if date == "unreleased" else version)
    assert "unreleased" not in dict(VERSIONS[1:]).values()


def test_the_citation_names_the_newest_released_version_and_its_date():
    version, date = next(each for each in VERSIONS if each[1] != "unreleased")
    assert (CITATION["version"], CITATION["date-released"]) == (version, date)


def test_the_citation_names_the_paper_and_its_twelve_authors():
    (paper,) = CITATION["references"]
    assert len({(name["family-names"], name["given-names"]) for name in paper["authors"]}) == 12
    assert paper["doi"] == "10.1609/aaai.v40i13.38048"
    assert f"https://doi.org/{paper['doi']}" in PROJECT["urls"].values()


def test_no_link_of_the_page_on_an_index_leads_to_a_file_of_the_repository():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = index_page(readme)
    assert re.findall(r"\]\((?!https://)", page) == []
    assert "arXiv 2512.11284](https://" in page
    assert len(page.split()) > 0.9 * len(readme.split())


def test_the_page_on_an_index_keeps_the_text_of_a_link_and_drops_a_picture_with_its_caption():
    text = (
        "A [b](b.md), [c](https://c.x).\n\n![d](d.png)\n\n*e [f](f.md)*\n\ng\n\n![h](h.png)\n\ni\n"
    )
    assert index_page(text) == "A b, [c](https://c.x).\n\ng\n\ni\n"


def test_the_container_is_built_from_all_that_the_build_of_the_package_reads():
    ignored = (ROOT / ".dockerignore").read_text()
    copied = re.findall(r"^COPY (.+) /source/$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for name in ("pyproject.toml", "setup.py", "README.md", *PROJECT["license-files"]):
        assert f"\n!{name}\n" in ignored
        assert any(name in line.split() for line in copied)
