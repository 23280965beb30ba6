"""Video files that OpenCV writes, and a stream from a server of our own."""

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.base.interruption import StopRequest
from rcae.line.inspector import Arrival
from rcae.line.record.inspection import Query
from rcae.line.sources.camera import inspect_video
from rcae.line.sources.frames import Frame, VideoSource, arrival_of
from rcae.line.sources.live import newest_frames
from tests.line.outputs.conftest import inspection

ORANGE = (240, 120, 30)
"""RGB: read as BGR, it would be blue."""


def write_video(path, frames, frames_per_s=10):
    height, width = frames[0].shape[:2]
    size = (width, height)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), frames_per_s, size)
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path):
    """35 frames, 3.5 s; each has a grey of its own."""
    frames = [np.full((48, 64, 3), 7 * number, np.uint8) for number in range(35)]
    return write_video(tmp_path / "video.avi", frames)


class Seen:
    """In place of an inspector: keeps what arrives."""

    def __init__(self):
        self.arrivals = []

    def inspect(self, arrivals):
        self.arrivals += arrivals
        return [inspection(len(self.arrivals), source=arrivals[0].source)]

    @property
    def greys(self):
        """The number of each frame, told by its grey."""
        pictures = [Image.open(io.BytesIO(arrival.content)) for arrival in self.arrivals]
        return [round(float(np.asarray(picture).mean()) / 7) for picture in pictures]


def test_every_frame_of_a_file_is_inspected_in_order(video):
    seen = Seen()
    found = list(inspect_video(VideoSource(str(video)), 0.0, seen, StopRequest()))
    assert seen.greys == list(range(35))
    assert [one.source for one in found] == [f"{video}#frame {n}" for n in range(1, 36)]


@pytest.mark.parametrize(
    ("every_s", "expected"),
    [(1.0, [0, 10, 20, 30]), (0.25, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33])],
)
def test_one_frame_in_so_much_time_of_the_video(video, every_s, expected):
    seen = Seen()
    list(inspect_video(VideoSource(str(video)), every_s, seen, StopRequest()))
    assert seen.greys == expected


def test_colours_are_those_of_the_video_and_the_file_is_a_png(tmp_path):
    video = write_video(tmp_path / "v.avi", [np.full((48, 64, 3), ORANGE, np.uint8)])
    frame = next(VideoSource(str(video)).frames())
    arrival = arrival_of(frame, "v.avi")
    picture = Image.open(io.BytesIO(arrival.content))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 48))
    assert np.abs(np.asarray(picture).astype(int) - ORANGE).max() <= 4
    assert arrival == Arrival("v.avi#frame 1", arrival.content)


def test_a_record_that_refuses_for_a_while_makes_no_frame_be_left_out(video, monkeypatch, said):
    monkeypatch.setattr("rcae.line.patience.FIRST_WAIT_S", 0.001)
    seen, refusals = Seen(), [False, True, True, False, True]
    inspect = seen.inspect

    def refuse(arrivals):
        if refusals and refusals.pop(0):
            raise StorageError("the disk is full.")
        return inspect(arrivals)

    seen.inspect = refuse
    list(inspect_video(VideoSource(str(video)), 0.0, seen, StopRequest()))
    assert seen.greys == list(range(35))
    assert said().count("the disk is full.") == 2


def test_frames_too_small_to_be_inspected_are_an_error(tmp_path, inspector):
    video = write_video(tmp_path / "small.avi", [np.zeros((8, 8, 3), np.uint8)] * 2)
    with pytest.raises(ImageError, match="8x8 px"):
        list(inspect_video(VideoSource(str(video)), 0.0, inspector, StopRequest()))


def test_a_request_to_stop_ends_after_the_frame_at_hand(video):
    stop, seen = StopRequest(), Seen()
    for _ in inspect_video(VideoSource(str(video)), 0.0, seen, stop):
        stop.requested = True
    assert seen.greys == [0]


def test_the_command_inspects_records_and_ends_with_0(rcae, finished_run, record, tmp_path, video):
    store = ("--store", tmp_path / "record.sqlite")
    code, out, err = rcae(
        "camera", video, finished_run, "--every", "1s", "--size-limit", "2", *store
    )
    assert code == 0
    recorded = list(record.each(Query()))
    assert [one.source for one in recorded] == [f"{video}#frame {n}" for n in (1, 11, 21, 31)]
    assert all((one.width_px, one.height_px) == (64, 48) for one in recorded)
    assert [line.split("  ")[-1] for line in out.splitlines()] == [one.source for one in recorded]
    assert "4 inspected: " in err


def test_a_command_that_ends_sends_everything_before(rcae, finished_run, tmp_path, video, receiver):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    secret.chmod(0o600)
    store = ("--store", tmp_path / "record.sqlite")
    webhook = ("--webhook", receiver.url, "--webhook-secret-file", secret)
    code, _, err = rcae(
        "camera", video, finished_run, "--every", "1s", "--size-limit", "2", *store, *webhook
    )
    assert code == 0
    assert len(receiver.requests) == 4
    assert "not sent" not in err


@pytest.mark.parametrize("content", [None, b"", b"not a video", b"RIFF" + bytes(100)])
def test_what_is_no_video_is_one_sentence(rcae, finished_run, tmp_path, content):
    source = tmp_path / "v.avi"
    if content is not None:
        source.write_bytes(content)
    store = ("--store", tmp_path / "record.sqlite")
    code, out, err = rcae("camera", source, finished_run, *store)
    assert code == 2
    assert out == ""
    assert str(source) in err
    assert "is not a file" in err if content is None else "cannot be opened as a video" in err


@pytest.mark.parametrize(
    "url", ["http://line:hunter2@127.0.0.1:9/v?token=t0p", "rtsp://127.0.0.1:9/"]
)
def test_a_stream_that_is_not_there_at_the_start_is_an_error_without_its_password(url):
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:9/.* cannot be opened") as caught:
        next(newest_frames(VideoSource(url), 0.0, StopRequest()))
    assert "hunter2" not in str(caught.value)
    assert "t0p" not in str(caught.value)


@pytest.fixture
def stream():
    """A server of MJPEG whose connections end after 5 frames; each has a grey of its own."""
    sent = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for _ in range(5):
                picture = np.full((48, 64, 3), 7 * len(sent), np.uint8)
                jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                sent.append(len(sent))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/stream"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stream_that_ends_is_opened_again_and_old_frames_are_left_out(stream, monkeypatch, said):
    monkeypatch.setattr("rcae.line.patience.FIRST_WAIT_S", 0.01)
    stop = StopRequest()
    frames = newest_frames(VideoSource(stream), 0.0, stop)
    greys = []
    while not greys or greys[-1] < 12:
        frame = next(frames)
        greys.append(round(float(frame.pixels.mean()) / 7))
    frames.close()
    assert greys == sorted(set(greys))
    assert "the stream ended" in said()


def test_a_slow_inspection_gets_the_newest_frame_not_the_next():
    class Source:
        name = "camera 0"

        def frames(self):
            yield Frame(1, 0.0, None)
            inspecting.wait(20)
            for number in range(2, 101):
                yield Frame(number, 0.0, None)
            read_all.set()
            over.wait(20)

    inspecting, read_all, over = threading.Event(), threading.Event(), threading.Event()
    frames = newest_frames(Source(), 0.0, StopRequest())
    assert next(frames).number == 1
    inspecting.set()
    assert read_all.wait(20)
    assert next(frames).number == 100
    over.set()
    frames.close()


def test_what_digits_and_urls_are():
    assert VideoSource("0").is_live
    assert VideoSource("0").name == "camera 0"
    assert VideoSource("rtsp://u:p@camera:554/a?b=c").name == "rtsp://camera:554/a"
    with pytest.raises(UsageError, match="cannot be read"):
        VideoSource("rtsp://camera:port/")
