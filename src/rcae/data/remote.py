"""Images in object stores, named by URLs like s3://bucket/part.png; `fsspec` reads them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from rcae.base.errors import ImageError, MissingExtraError, StorageError, UsageError
from rcae.base.extras import require
from rcae.data.folders import is_hidden, is_image
from rcae.data.image_files import ImageContent

Location = Path | str
"""Place of an image: a path, or a URL as text."""
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_url(location: Location) -> bool:
    """Tell whether a text is a URL, and no path."""
    return isinstance(location, str) and _URL.match(location) is not None


def source_of(location: Location) -> Path | ImageContent:
    """Return what an image is decoded from: the path itself, or the fetched content of a URL.

    Raises:
        ImageError: nothing is stored at the URL.
        MissingExtraError: fsspec, or its package for this kind of URL, is not installed.
        StorageError: the store cannot be read now.
    """
    return _fetched(str(location)) if is_url(location) else Path(location)


def list_urls(url: str) -> Iterator[str]:
    """Yield the images that a URL names: one object, all below a folder, or matches of a pattern.

    Each folder is sorted by name. Hidden names and other suffixes are left out.

    Raises:
        UsageError: nothing is stored there, or no image.
        MissingExtraError, StorageError: the errors of `source_of`.
    """
    is_empty = True
    with _store(url) as (store, path):
        for name in _names(store, path):
            is_empty = False
            yield store.unstrip_protocol(name)
    if is_empty:
        raise UsageError(
            f"{url} holds or matches no image; give an object, a folder of images, or a pattern."
        )


def _names(store: Any, path: str) -> Iterator[str]:
    if store.isfile(path):
        yield path
    elif set(path) & set("*?["):
        yield from (name for name in sorted(store.glob(path)) if _is_image(name))
    elif store.isdir(path):
        yield from _below(store, path)


def _below(store: Any, folder: str) -> Iterator[str]:
    for entry in sorted(store.ls(folder, detail=True), key=lambda entry: str(entry["name"])):
        name = entry["name"].rstrip("/")
        if is_hidden(PurePosixPath(name).name) or name == folder.rstrip("/"):
            continue
        if entry["type"] == "directory":
            yield from _below(store, name)
        elif _is_image(name):
            yield name


def _is_image(name: str) -> bool:
    return is_image(Path(PurePosixPath(name).name))


def _fetched(url: str) -> ImageContent:
    with _store(url) as (store, path):
        try:
            return ImageContent(url, store.cat_file(path))
        except FileNotFoundError as error:
            raise ImageError(f"{url} does not exist; check its name.") from error


@contextmanager
def _store(url: str) -> Iterator[tuple[Any, str]]:
    """Open the store of a URL, and name its errors."""
    require("fsspec", purpose=f"{url}, a URL,")
    import fsspec

    try:
        yield fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtraError(f"{url} needs one more package: {error}.") from error
    except ValueError as error:
        raise UsageError(f"{url} is not a URL that fsspec knows ({error}).") from error
    except OSError as error:
        raise StorageError(
            f"{url} cannot be read ({error}); check the name, the access and the network, then run the "
            "same command again."
        ) from error
