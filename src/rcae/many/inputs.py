"""Images that a person names: files, folders, patterns, URLs, and lists of them, one after the other."""

import csv
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

from rcae.base.errors import DataError, UsageError
from rcae.base.extras import require
from rcae.data.folders import listed
from rcae.data.remote import Location, is_url, list_urls

COLUMN = "path"
"""Column of a table that holds paths or URLs; `predictions.csv` has it, too."""
ROWS_AT_ONCE = 10_000


def locations(texts: Sequence[str]) -> Iterator[Location]:
    """Yield the images that all texts name, each once, in order; memory does not grow with their number.

    A text is a file, a folder, a pattern, or a URL of one of these.
    A `.txt` file is a list with an image on each line, a `.csv` or `.parquet` file has a column `path`.

    Raises:
        UsageError: a path does not exist, names no image, or a table lacks the column.
        DataError: a folder or list cannot be read.
        MissingExtraError: a URL or a Parquet file needs a package that is not installed.
        StorageError: an object store cannot be listed now.
    """
    return _unique(location for text in texts for location in _named_by(text))


def _named_by(text: str) -> Iterator[Location]:
    if is_url(text):
        return list_urls(text)
    read = _LISTS.get(Path(text).suffix.lower())
    return listed(text) if read is None or not Path(text).is_file() else _in_list(Path(text), read)


def _in_list(file: Path, read: Callable[[Path], Iterator[str]]) -> Iterator[Location]:
    is_empty = True
    try:
        for text in read(file):
            is_empty = False
            yield text if is_url(text) else Path(text)
    except (OSError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a list of images ({error}).") from error
    if is_empty:
        raise UsageError(f"{file} lists no image; give a list with a path or URL in each row.")


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if name := line.rstrip("\r\n"):
                yield name


def _csv_rows(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as rows:
        table = csv.DictReader(rows)
        _require_column(file, table.fieldnames or ())
        for row in table:
            yield row[COLUMN]


def _parquet_rows(file: Path) -> Iterator[str]:
    require("pyarrow", purpose=str(file))
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as table:
            _require_column(file, table.schema_arrow.names)
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=[COLUMN]):
                yield from map(str, batch.column(0).to_pylist())
    except pa.ArrowException as error:
        raise DataError(f"{file} is not a readable Parquet file ({error}).") from error


_LISTS = {".txt": _lines, ".csv": _csv_rows, ".parquet": _parquet_rows}
"""Reader of a list for each file suffix."""


def _require_column(file: Path, names: Iterable[str]) -> None:
    if COLUMN not in names:
        raise UsageError(
            f"{file} has the columns {', '.join(names)}; name the one with the images '{COLUMN}'."
        )


def _unique(found: Iterable[Location]) -> Iterator[Location]:
    """Leave out what came before; SQLite keeps hashes of it in a temporary file."""
    with closing(sqlite3.connect("")) as seen:
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY) WITHOUT ROWID")
        for location in found:
            name = absolute(location).encode("utf-8", "surrogateescape")
            hash_ = blake2b(name, digest_size=16).digest()
            if seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (hash_,)).rowcount:
                yield location


def absolute(location: Location) -> str:
    """Return a URL as it is, and a path from the root, which means the same in every folder."""
    return str(location) if is_url(location) else os.path.join(Path.cwd(), location)  # noqa: PTH118
