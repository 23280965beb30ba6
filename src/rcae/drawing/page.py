"""Self-contained HTML pages: templates, and the format of numbers and pictures in them."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL.Image import Image

from rcae.drawing import pictures

_PICTURE_SIDE_PX = 720
_STRIP_SIDE_PX = 2000
_NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Picture:
    """A picture of any size with its caption; the report shrinks it."""

    image: Image
    caption: str


@dataclass(frozen=True)
class PictureGroup:
    """Pictures of one topic, such as missed defects; may be empty."""

    title: str
    explanation: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class FactGroup:
    """A table of facts, such as settings, versions, data, timings or provenance."""

    title: str
    facts: Mapping[str, str]


def page(template: str, **content: Any) -> bytes:
    """Render a self-contained HTML page from one of the package's templates."""
    environment = Environment(
        loader=PackageLoader("rcae.drawing"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["strip"] = _is_strip
    environment.filters |= {
        "number": number,
        "percent": percent,
        "picture_uri": _picture_uri,
        "png_uri": png_uri,
    }
    html = environment.get_template(template).render(**content)
    # File names may hold undecodable bytes, which Python carries as lone surrogates.
    return html.encode("utf-8", "backslashreplace")


def notebook_html(
    title: str,
    *,
    lines: Sequence[str] = (),
    pictures: Sequence[tuple[str, str]] = (),
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> str:
    """Render an answer for a cell of a notebook, in the colours of the notebook.

    Args:
        title: Answer in a few words.
        lines: Sentences below it.
        pictures: Data URI of each picture, with its text for readers who cannot see it.
        columns: Titles of a table; without rows there is none.
        rows: Rows of the table, each beginning with its name.
    """
    content = {"title": title, "lines": lines, "pictures": pictures, "columns": columns}
    return page("notebook.html.jinja", **content, rows=rows).decode()


def png_uri(png: bytes) -> str:
    """Encode a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def number(value: float) -> str:
    """Format with three decimals up to 1, and with four digits above.

    A value close to 0 or 1 is never rounded to 0 or 1.
    """
    if 0 < value < 0.001:
        return f"{value:.2g}"
    if 0.9995 <= value < 1:
        return "> 0.999"
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.4g}"


def percent(share: float) -> str:
    """Format as a percentage with one decimal; a share close to 0 or 1 is never rounded to 0 or 1."""
    if 0 < share < 0.001:
        return f"{100 * share:.2g}{_NBSP}%"
    if 0.9995 <= share < 1:
        return f"> 99.9{_NBSP}%"
    return f"{100 * share:.1f}{_NBSP}%"


def _picture_uri(image: Image) -> str:
    side_px = _STRIP_SIDE_PX if _is_strip(image) else _PICTURE_SIDE_PX
    return pictures.data_uri(image, side_px)


def _is_strip(image: Image) -> bool:
    """Return True if a picture is so wide that it takes a row of its own."""
    return image.width > 2.6 * image.height
