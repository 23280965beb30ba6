"""Inspects the frames of a video file, each in turn, or the newest of a live source."""

from collections.abc import Iterator

from rcae.base.errors import ImageError, StorageError
from rcae.base.interruption import StopRequest
from rcae.line.inspector import Inspector
from rcae.line.patience import Patience
from rcae.line.record.inspection import Inspection
from rcae.line.sources.frames import Frame, VideoSource, arrival_of
from rcae.line.sources.live import newest_frames

_ROUNDING_S = 0.0005
"""Times of frames are computed, and come out a little before or after what they should be."""


def inspect_video(
    source: VideoSource, every_s: float, inspector: Inspector, stop: StopRequest
) -> Iterator[Inspection]:
    """The frames of SOURCE, until a file ends or a stop is requested.

    Args:
        source: of a file, no frame is left out but by `every_s`; of a live source, those that come
            while another is inspected are.
        every_s: at most one frame in so much time, of the video's own in a file; 0 for all.
        inspector: records what it finds; while the record refuses, the same frame waits.
        stop: looked at between two frames.

    Raises:
        UsageError: the source cannot be opened. A stream that breaks later is opened again.
        ImageError: frames are not fit to be inspected, too small for example.
    """
    patience = Patience("Recording", stop.wait)
    chosen = (
        newest_frames(source, every_s, stop)
        if source.is_live
        else _spaced(source.frames(), every_s)
    )
    for frame in chosen:
        if stop.requested:
            return
        arrival = arrival_of(frame, source.name)
        answers: list[Inspection | ImageError] = []
        while not answers and not stop.requested:
            try:
                answers = inspector.inspect([arrival])
            except StorageError as error:
                patience.failed(error)
        for answer in answers:
            patience.worked()
            if isinstance(answer, ImageError):
                raise answer
            yield answer


def _spaced(frames: Iterator[Frame], every_s: float) -> Iterator[Frame]:
    """The first frame at or after each multiple of `every_s`."""
    due_s = 0.0
    for frame in frames:
        time_s = frame.time_s + _ROUNDING_S
        if time_s >= due_s:
            yield frame
            due_s = (time_s // every_s + 1) * every_s if every_s else 0.0
