"""The model card as files: card.md and, in the look of the evaluation report, card.html."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rcae.base.storage import write_bytes, write_text
from rcae.base.text import printable
from rcae.data.images import read_image
from rcae.detector.run.run_folder import RunFolder
from rcae.drawing.page import Picture, page
from rcae.drawing.pictures import to_image
from rcae.evaluation.card.content import Card, card_of
from rcae.evaluation.card.section import Section, Table
from rcae.evaluation.card.sources import Sources, read_sources

SAMPLES = {
    "good": "a good image that was never trained on",
    "painted": "the same with pseudo anomalies painted in",
}
"""Kinds of pictures in `samples/`, by the first part of their names."""
PICTURES = (
    "From left to right: the image, what each recursion made of it, its detail restored, and the map "
    "over it. The defects are painted: no real one was needed."
)


def write_card(folder: RunFolder, licence: str | None = None) -> Path:
    """Write both files, each in one step, and return the path of the page.

    Args:
        folder: Folder of a finished run.
        licence: Licence of its images; `run.json` keeps it for later cards. None leaves the entry in
            `run.json` unchanged.

    Raises:
        UsageError, CheckpointError: see `read_sources`; nothing is written then.
        ImageError: a picture in `samples/` is damaged; nothing is written then.
        StorageError: the disk refused a file; older files stay intact.
    """
    sources = read_sources(folder)
    if licence is not None:
        sources = _with_licence(sources, printable(licence))
    card, created = card_of(sources), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    files = _samples(folder.samples)
    pictures = [Picture(to_image(read_image(file)), _caption(file)) for file in files]
    html = page(
        "card.html.jinja", card=card, created=created, pictures=pictures, about_pictures=PICTURES
    )
    if licence is not None:
        _keep_licence(folder, sources)
    write_text(folder.card, markdown(card, created, files))
    write_bytes(folder.card_page, html)
    return folder.card_page


def markdown(card: Card, created: str, pictures: Sequence[Path]) -> str:
    """Return the card as GitHub-flavoured Markdown; links to pictures are relative to the run folder."""
    lines = [f"# {_plain(card.title)}", f"{_plain(card.summary)} Written {created}."]
    for section in card.sections:
        lines += _section(section)
    if pictures:
        lines += ["## Example pictures", _plain(PICTURES)]
        lines += [
            f"![{_caption(file)}](samples/{file.name})\n{_caption(file)}" for file in pictures
        ]
    return "\n\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield from map(_plain, section.text)
    if section.facts:
        yield _table(Table(("", ""), tuple(section.facts.items())))
    yield from map(_table, section.tables)
    if section.points:
        yield "\n".join(f"- {_plain(point)}" for point in section.points)


def _table(table: Table) -> str:
    rows = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(map(_plain, row)) + " |" for row in rows)


def _plain(text: str) -> str:
    """Escape text so that Markdown shows it unchanged."""
    return re.sub(r"([\\`*_\[\]<>|&~#])", r"\\\1", text)


def _samples(folder: Path) -> list[Path]:
    """List each good image, followed by the same image with pseudo anomalies."""
    files = [file for kind in SAMPLES for file in folder.glob(f"{kind}-[0-9].png")]
    return sorted(files, key=lambda file: file.stem.split("-")[::-1])


def _caption(file: Path) -> str:
    return f"{file.stem}: {SAMPLES[file.stem.split('-')[0]]}"


def _with_licence(sources: Sources, licence: str) -> Sources:
    data = sources.record.data.model_copy(update={"licence": licence})
    return replace(sources, record=sources.record.model_copy(update={"data": data}))


def _keep_licence(folder: RunFolder, sources: Sources) -> None:
    record = folder.read_record()
    record["data"]["licence"] = sources.record.data.licence
    folder.write_record(record)
