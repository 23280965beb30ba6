"""Inspection of a video file frame by frame, or of the newest frame of a live source."""

from collections.abc import Iterator

from rcae.base.errors import ImageError, StorageError
from rcae.base.interruption import StopRequest
from rcae.line.inspector import Inspector
from rcae.line.patience import Patience
from rcae.line.record.inspection import Inspection
from rcae.line.sources.frames import Frame, VideoSource, arrival_of
from rcae.line.sources.live import newest_frames

_ROUNDING_S = 0.0005
"""Tolerance for rounding errors in the computed times of frames."""


def inspect_video(
    source: VideoSource, every_s: float, inspector: Inspector, stop: StopRequest
) -> Iterator[Inspection]:
    """Inspect the frames of a source, until a file ends or a stop is requested.

    Args:
        source: a file, whose frames are skipped only by `every_s`; or a live source, whose frames are
            dropped while another is inspected.
        every_s: shortest time between two frames in seconds, in the video's own time for a file; 0
            takes all.
        inspector: records each result; the same frame is retried while the record refuses.
        stop: read between two frames.

    Raises:
        UsageError: the source cannot be opened. A stream that breaks later is reopened.
        ImageError: frames cannot be inspected, for example because they are too small.
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
    """Yield the first frame at or after each multiple of `every_s`."""
    due_s = 0.0
    for frame in frames:
        time_s = frame.time_s + _ROUNDING_S
        if time_s >= due_s:
            yield frame
            due_s = (time_s // every_s + 1) * every_s if every_s else 0.0
