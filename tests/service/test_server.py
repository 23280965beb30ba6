"""Connections, and how long the process waits for them; without a network or a clock."""

import asyncio
from types import SimpleNamespace

import pytest
from uvicorn.server import ServerState

from rcae.service.limits import Limits
from rcae.service.server import configured

BEGUN = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
ENDED = b"\r\n\r\n"


def test_told_to_stop_it_waits_for_what_is_being_inspected_and_one_more_tile():
    assert configured(answer, Limits(shutdown_s=16.5)).timeout_graceful_shutdown == 22


class Transport(asyncio.Transport):
    """Takes what is written and says whether it was closed."""

    def __init__(self):
        super().__init__()
        self.written, self.closed = b"", False
        self.waiting_bytes, self.aborted = 0, False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def get_write_buffer_size(self):
        return self.waiting_bytes

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.closed

    def resume_reading(self):
        pass


class Connected:
    """A connection to an application, whose timers go off when the test says so."""

    def __init__(self, app):
        config = configured(app, Limits())
        config.load()
        self.timers = []
        loop = SimpleNamespace(
            call_later=self.later, create_task=asyncio.get_running_loop().create_task
        )
        self.transport = Transport()
        self.connection = config.http_protocol_class(config, ServerState(), {}, loop)
        self.connection.connection_made(self.transport)

    def later(self, delay_s, callback):
        timer = SimpleNamespace(delay_s=delay_s, callback=callback, cancelled=False)
        timer.cancel = lambda: setattr(timer, "cancelled", True)
        self.timers.append(timer)
        return timer

    def pass_s(self, seconds):
        """Let so much time pass: whatever was to happen by then happens."""
        due, self.timers = self.timers, []
        for timer in due:
            if timer.cancelled:
                continue
            if timer.delay_s <= seconds:
                timer.callback()
            else:
                timer.delay_s -= seconds
                self.timers.append(timer)


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("trickle", [[], [BEGUN, *[b"x"] * 9]])
def test_a_connection_on_which_no_request_begins_is_closed_whatever_trickles_in(trickle):
    async def run():
        connected = Connected(answer)
        for second in range(10):
            assert not connected.transport.closed
            for piece in trickle[second : second + 1]:
                connected.connection.data_received(piece)
            connected.pass_s(1)
        assert connected.transport.closed

    asyncio.run(run())


def test_a_connection_is_closed_too_where_a_body_trickles_in_that_was_answered_already():
    async def run():
        connected = Connected(answer)
        connected.connection.data_received(BEGUN + b"\r\nContent-Length: 1000" + ENDED)
        await asyncio.sleep(0)
        assert b" 200 " in connected.transport.written
        for _ in range(10):
            connected.connection.data_received(b"x")
            connected.pass_s(1)
        assert connected.transport.closed

    asyncio.run(run())


def test_a_request_may_take_as_long_as_it_needs_and_the_next_one_has_its_time_again():
    async def run():
        may_go = asyncio.Event()

        async def slow(scope, receive, send):
            await may_go.wait()
            await answer(scope, receive, send)

        connected = Connected(slow)
        for _ in range(2):
            connected.connection.data_received(BEGUN)
            connected.pass_s(8)
            connected.connection.data_received(ENDED)
            connected.pass_s(1000)
            assert not connected.transport.closed
            may_go.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            may_go.clear()
        assert connected.transport.written.count(b" 200 ") == 2
        connected.connection.connection_lost(None)
        assert all(timer.cancelled for timer in connected.timers)

    asyncio.run(run())


def reading(sizes, seconds=10):
    """Whether a connection ends whose client leaves so many bytes unread, a look apart each."""

    async def run():
        connected = Connected(answer)
        connected.connection.data_received(BEGUN + ENDED)
        await asyncio.sleep(0)
        connected.connection._expect_nothing()  # the next request is not what this is about
        connected.transport.waiting_bytes = sizes[0]
        connected.connection.pause_writing()
        for size in sizes[1:]:
            assert not connected.transport.aborted
            connected.transport.waiting_bytes = size
            if size == 0:
                connected.connection.resume_writing()
            connected.pass_s(seconds)
        return connected.transport.aborted

    return asyncio.run(run())


def test_a_client_that_stops_reading_is_cut_off():
    assert reading([100_000, 100_000])
    assert reading([100_000, 90_000, 90_000])


def test_a_client_that_reads_slowly_has_its_time_and_no_more():
    assert not reading([100_000, 90_000, 80_000, 0, 0, 0])
    assert reading([1000 - number for number in range(31)])
    assert not reading([1000 - number for number in range(30)])
