"""Frames of a video file, a stream or a camera, as OpenCV opens them."""

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
"""Timeout for opening a stream and for its next frame (our choice)."""


@dataclass(frozen=True)
class Frame:
    """One frame of a video."""

    number: int
    """Frame number from 1; frames of a live source that were not inspected count too."""
    time_s: float
    """Seconds from the start of a video file; 0 in a live source."""
    pixels: Any
    """Pixels as OpenCV gives them: uint8 [height, width, 3], channel order BGR."""


class VideoSource:
    """A video file, the URL of a stream, or the index of a camera.

    Digits name a camera, a text with "://" names a stream, and any other text names a file.
    """

    def __init__(self, source: str) -> None:
        """Determine the kind of the source without opening it.

        Raises:
            MissingExtraError: OpenCV is not installed.
            UsageError: there is no such file.
        """
        require("cv2", purpose="rcae camera")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # this module reports what matters
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        self.is_live = source.isdecimal() or "://" in source
        self._source: str | int = int(source) if source.isdecimal() else source
        self.name = f"camera {source}" if source.isdecimal() else _without_password(source)
        """Name for people and for the record; without secrets."""
        if not self.is_live:
            self._source = str(Path(source).absolute())
            if not Path(source).is_file():
                raise UsageError(
                    f"{self.name} is not a file; give a video file, the URL of a stream, or the "
                    "number of a camera."
                )

    def frames(self) -> Iterator[Frame]:
        """Open the source and yield every frame, until the file ends or the stream breaks.

        Raises:
            UsageError: the source cannot be opened, or has no frame.
        """
        import cv2

        if isinstance(self._source, int):
            capture = cv2.VideoCapture(self._source)
        else:
            limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
            options = [value for limit in limits for value in (limit, TIMEOUT_MS)]
            # Only FFmpeg is used: other backends take some names for patterns of many files.
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
    """Encode a frame as a PNG file without loss; OpenCV writes its channels in the order of PNG."""
    import cv2

    done, png = cv2.imencode(".png", frame.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ImageError(f"frame {frame.number} of {name} cannot be written as PNG.")
    return Arrival(f"{name}#frame {frame.number}", png.tobytes())


def _without_password(source: str) -> str:
    """Return a URL without user, password and query."""
    if "://" not in source:
        return printable(source)
    try:
        parts = urlsplit(source)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # its text may contain a part of the password
        raise UsageError(
            "SOURCE: the URL cannot be read; write rtsp://[user:password@]host[:port]/path, for example."
        ) from None
    return printable(f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}")
