"""The README as a package index shows it; all other metadata stands in pyproject.toml."""

import re
from pathlib import Path

from setuptools import setup

PICTURE = re.compile(r"!\[[^\]]*\]\((?!https://)[^)]+\)\n+(\*.*\*\n+)?")
"""A picture of the repository, with the caption below it."""
LINK = re.compile(r"\[([^\]]+)\]\((?!https://|#)[^)]+\)")


def index_page(readme: str) -> str:
    """Return the README without pictures and links that lead to files of the repository.

    A page of an index stands elsewhere, where they lead nowhere. The text of a link stays.
    """
    return LINK.sub(r"\1", PICTURE.sub("", readme))


if __name__ == "__main__":
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    setup(long_description=index_page(readme), long_description_content_type="text/markdown")
