"""Pictures out of a video file, a stream or a camera, as OpenCV opens them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rcae.base.errors import ImageError, UsageError
from rcae.base.extras import require
from rcae.base.text import printable
from rcae.line.inspector import Arrival

TIMEOUT_MS = 10_000
"""Our choice: to open a stream, and for its next frame."""


@dataclass(frozen=True)
class Frame:
    """One picture."""

    number: int
    """Counted from 1; in a live source those that were not inspected count too."""
    time_s: float
    """In a video file, from its start; 0 in a live source."""
    pixels: Any
    """As OpenCV gives them: uint8 [height, width, 3], blue first."""


class VideoSource:
    """A video file, the URL of a stream, or the index of a camera.

    A path names a file, digits a camera, and what has "://" in it a stream.
    """

    def __init__(self, source: str) -> None:
        """Understand what it is; nothing is opened yet.

        Raises:
            MissingExtraError: OpenCV is not installed.
            UsageError: there is no such file.
        """
        require("cv2", purpose="rcae camera")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what matters is said here
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        self.is_live = source.isdecimal() or "://" in source
        self._source: str | int = int(source) if source.isdecimal() else source
        self.name = f"camera {source}" if source.isdecimal() else _without_password(source)
        """For people and for the record; no secret."""
        if not self.is_live:
            self._source = str(Path(source).absolute())
            if not Path(source).is_file():
                raise UsageError(
                    f"{self.name} is not a file; give a video file, the URL of a stream, or the "
                    "number of a camera."
                )

    def frames(self) -> Iterator[Frame]:
        """Open it and give every frame, until the file ends or the stream breaks.

        Raises:
            UsageError: it cannot be opened, or has no frame.
        """
        import cv2

        if isinstance(self._source, int):
            capture = cv2.VideoCapture(self._source)
        else:
            limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
            options = [value for limit in limits for value in (limit, TIMEOUT_MS)]
            # By FFmpeg alone: others take some names for patterns of many files.
            capture = cv2.VideoCapture(self._source, cv2.CAP_FFMPEG, options)
        try:
            number = 0
            while (read := capture.read())[0]:
                number += 1
                yield Frame(number, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, read[1])
        finally:
            capture.release()
        if not number:
            raise UsageError(
                f"{self.name} cannot be opened as a video; check that it is there, that it may be "
                "read, and that another program can play it."
            )


def arrival_of(frame: Frame, name: str) -> Arrival:
    """A frame as a PNG file, which loses nothing; OpenCV writes its colours in the order of PNG."""
    import cv2

    done, png = cv2.imencode(".png", frame.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ImageError(f"frame {frame.number} of {name} cannot be written as PNG.")
    return Arrival(f"{name}#frame {frame.number}", png.tobytes())


def _without_password(source: str) -> str:
    """Of a URL, what may be shown: no user, password or query."""
    if "://" not in source:
        return printable(source)
    try:
        parts = urlsplit(source)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # which may name a part of the password
        raise UsageError(
            "SOURCE: the URL cannot be read; write rtsp://[user:password@]host[:port]/path, for example."
        ) from None
    return printable(f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}")
