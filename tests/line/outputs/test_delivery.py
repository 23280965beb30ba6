"""From a real record to outputs that fail in every way: in order, at least once."""

import json
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from rcae.base.errors import DeliveryError, RefusedError, StorageError
from rcae.line.outputs.delivery import Delivery, delivering
from rcae.line.outputs.mqtt import Mqtt
from rcae.line.outputs.webhook import Webhook
from rcae.line.record.record import Record
from tests.conftest import until
from tests.line.outputs.conftest import Subscriber, inspection

SECRET = b"0123456789abcdef"


class Scripted:
    """An output that fails as it is told and keeps the numbers of what it took."""

    title = "output under test"
    reader = "scripted-1"

    def __init__(self):
        self.script = []
        self.numbers = []
        self.closed = False

    def send(self, inspection):
        failure = self.script.pop(0) if self.script else None
        if failure is not None:
            raise failure
        self.numbers.append(inspection.number)

    def close(self):
        self.closed = True


@pytest.fixture
def store(tmp_path):
    return tmp_path / "record.sqlite"


@pytest.fixture
def record(store):
    record = Record.open(store)
    yield record
    record.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Backing off takes no time."""
    monkeypatch.setattr("rcae.line.patience.FIRST_WAIT_S", 0.002)
    monkeypatch.setattr("rcae.line.patience.LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr("rcae.line.outputs.delivery.POLL_S", 0.005)


def add(record, *numbers):
    record.add([inspection(number) for number in numbers])


def test_everything_is_sent_in_order_and_the_record_knows_how_far(record):
    output = Scripted()
    with delivering([output], record) as (delivery,):
        add(record, *range(1, 151))
        until(lambda: delivery.lag == 0)
    assert output.numbers == list(range(1, 151))
    assert record.cursor(output.reader) == 150
    assert output.closed


def test_a_new_output_starts_at_the_end_and_a_known_one_where_it_was(record):
    add(record, 1, 2, 3)
    output = Scripted()
    with delivering([output], record) as (delivery,):
        add(record, 4)
        until(lambda: output.numbers == [4])
    add(record, 5, 6)
    with delivering([output], record) as (delivery,):
        until(lambda: delivery.lag == 0)
    assert output.numbers == [4, 5, 6]


def test_an_output_begun_on_an_empty_record_misses_nothing_that_came_while_it_was_gone(record):
    with delivering([Scripted()], record):
        pass
    add(record, 1, 2)
    output = Scripted()
    with delivering([output], record):
        until(lambda: output.numbers == [1, 2])


def test_what_fails_is_tried_again_before_anything_else_and_said_once(record, said):
    output = Scripted()
    output.script = [None, *[DeliveryError("it is away.") for _ in range(8)], None, None]
    with delivering([output], record) as (delivery,):
        add(record, 1, 2, 3)
        until(lambda: delivery.lag == 0)
        assert not delivery.is_failing
    assert output.numbers == [1, 2, 3]
    text = said()
    assert text.count("fails and is tried again until it works: it is away.") == 1
    assert text.count("Sending to output under test works again.") == 1


def test_what_nobody_expected_is_said_and_tried_again(record, said):
    output = Scripted()
    output.script = [OverflowError("too large"), OverflowError("too large")]
    with delivering([output], record) as (delivery,):
        add(record, 1, 2)
        until(lambda: delivery.lag == 0)
    assert output.numbers == [1, 2]
    text = said()
    assert text.count("is tried again until it works: unexpected OverflowError (too large).") == 1


def test_the_turn_is_given_back_whatever_happens_at_the_end(record, store):
    output = Scripted()
    output.close = output.script.pop  # fails: it is empty
    delivery = Delivery(record, output)
    assert delivery._turn.taken()
    delivery.ask_to_stop()
    with pytest.raises(IndexError):
        delivery._run()
    other = Record.open(store)
    assert Delivery(other, Scripted())._turn.taken()
    other.close()


def test_what_is_refused_for_good_becomes_a_dead_letter_and_the_next_is_sent(record, said):
    output = Scripted()
    output.script = [None, RefusedError("it answers 422.")]
    with delivering([output], record) as (delivery,):
        add(record, 1, 2, 3)
        until(lambda: delivery.lag == 0)
        assert delivery.dead_letters == 1
    assert output.numbers == [1, 3]
    (letter,) = record.dead_letters.newest(10)
    assert (letter.output, letter.inspection) == (output.title, 2)
    assert (letter.inspection_id, letter.reason) == (inspection(2).id, "it answers 422.")
    assert not letter.is_due
    assert f"Inspection 2 ({inspection(2).id}) is not sent: it answers 422." in (said())


ALWAYS = [DeliveryError("it answers 403.", is_answer=True)] * 10_000


def test_what_is_always_answered_with_an_error_blocks_later_ones_for_the_time_that_is_set(
    record, monkeypatch
):
    clock = [0.0]
    monkeypatch.setattr("rcae.line.outputs.delivery.time.monotonic", lambda: clock[0])
    output = Scripted()
    output.script = list(ALWAYS)
    delivery = Delivery(record, output, dead_letter_after_s=60)
    add(record, 1, 2)
    for seconds in (0, 59.9):
        clock[0] = seconds
        with pytest.raises(DeliveryError):
            delivery._send_some()
    assert (delivery.lag, delivery.dead_letters) == (2, 0)
    clock[0] = 60
    with pytest.raises(DeliveryError):  # the first is set aside, the second has its own time
        delivery._send_some()
    assert (delivery.lag, delivery.dead_letters) == (1, 1)
    output.script.clear()
    assert delivery._send_some()
    assert output.numbers == [2]


def test_an_outage_makes_no_dead_letters_however_long_it_lasts(record, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("rcae.line.outputs.delivery.time.monotonic", lambda: clock[0])
    output = Scripted()
    away = DeliveryError("it cannot be reached.")
    output.script = [away, away, ALWAYS[0], away, ALWAYS[0], away]
    delivery = Delivery(record, output, dead_letter_after_s=60)
    add(record, 1)
    for _ in range(6):
        clock[0] += 50
        with pytest.raises(DeliveryError):
            delivery._send_some()
    assert delivery._send_some()
    assert output.numbers == [1]
    assert delivery.dead_letters == 0


def test_dead_letters_are_sent_again_by_a_command_and_stay_if_refused_again(record, store, rcae):
    output = Scripted()
    refused = RefusedError("it answers 422.")
    output.script = [refused, refused, refused]
    with delivering([output], record) as (delivery,):
        add(record, 1, 2, 3)
        until(lambda: delivery.dead_letters == 3)
        output.script = [None, RefusedError("it answers 409.")]
        code, out, _ = rcae("resend", "--store", store)
        assert (code, out) == (0, "3 to be sent again to output under test\n")
        until(lambda: output.numbers == [1, 3])
        until(lambda: delivery.dead_letters == 1)
    (letter,) = record.dead_letters.newest(10)
    assert (letter.inspection, letter.reason, letter.is_due) == (2, "it answers 409.", False)
    with delivering([output], record):  # asked for while nothing sends: the next start does it
        pass
    assert rcae("resend", "--store", store)[0] == 0
    with delivering([output], record):
        until(lambda: output.numbers == [1, 3, 2])
        until(lambda: record.dead_letters.counts() == {})
    assert rcae("resend", "--store", store)[1] == "There are no dead letters.\n"


def test_a_record_that_refuses_for_a_while_stops_nothing_for_good(record, monkeypatch):
    output, moved, failures = Scripted(), record.move_cursor, [True, True]
    delivery = Delivery(record, output)

    def move(reader, number):
        if failures:
            failures.pop()
            raise StorageError("the record is locked.")
        moved(reader, number)

    monkeypatch.setattr(record, "move_cursor", move)
    delivery.start()
    add(record, 1, 2)
    until(lambda: delivery.lag == 0)
    delivery.ask_to_stop()
    delivery.join()
    assert output.numbers == [1, 1, 1, 2]


def test_stopping_finishes_what_is_being_sent_and_begins_nothing_else(record):
    began, go_on = threading.Event(), threading.Event()
    output = Scripted()
    take = output.send

    def send(inspection):
        began.set()
        assert go_on.wait(20)
        take(inspection)

    output.send = send
    delivery = Delivery(record, output)
    delivery.start()
    add(record, 1, 2, 3)
    assert began.wait(20)
    delivery.ask_to_stop()
    go_on.set()
    delivery.join()
    assert output.numbers == [1]
    assert record.cursor(output.reader) == 1
    assert delivery.lag == 2


def test_stopping_does_not_wait_for_the_next_attempt(record, monkeypatch):
    monkeypatch.setattr("rcae.line.patience.FIRST_WAIT_S", 1e6)
    monkeypatch.setattr("rcae.line.patience.LONGEST_WAIT_S", 1e6)
    output = Scripted()
    output.script = [DeliveryError("it is away.")]
    with delivering([output], record) as (delivery,):
        add(record, 1)
        until(lambda: delivery.is_failing)


def test_of_two_with_the_same_output_one_sends_and_the_other_takes_over(record, store, said):
    first, second = Scripted(), Scripted()
    other = Record.open(store)
    one, two = Delivery(record, first), Delivery(other, second)
    one.start()
    add(record, 1)
    until(lambda: first.numbers == [1])
    two.start()
    until(lambda: "Another process sends to output under test already" in said())
    add(record, 2)
    until(lambda: one.lag == 0)
    one.ask_to_stop()
    one.join()
    add(record, 3)
    until(lambda: second.numbers)
    two.ask_to_stop()
    two.join()
    other.close()
    assert (first.numbers, second.numbers) == ([1, 2], [3])
    assert "sends to output under test from now on" in said()


def test_a_webhook_that_fails_in_every_way_gets_everything_in_order(record, receiver):
    receiver.script = [500, 204, (429, {"Retry-After": "0"}), "close", "hang", 204, 400, 301, 503]
    webhook = Webhook(receiver.url, SECRET, timeout_s=0.2)
    with delivering([webhook], record) as (delivery,):
        add(record, 1, 2, 3, 4)
        until(lambda: delivery.lag == 0)
    seen = [json.loads(body)["number"] for _, _, body in receiver.requests]
    assert seen == [1, 1, 2, 2, 2, 2, 3, 4, 4, 4]
    keys = {headers["Idempotency-Key"] for _, headers, _ in receiver.requests}
    assert keys == {inspection(number).id for number in (1, 2, 3, 4)}


def test_retry_after_is_waited_for(record, receiver):
    receiver.script = [(429, {"Retry-After": "3000"})]
    webhook = Webhook(receiver.url, SECRET)
    delivery = Delivery(record, webhook)
    waited = []
    delivery._patience._wait = waited.append
    delivery.start()
    add(record, 1)
    until(lambda: delivery.lag == 0)
    delivery.ask_to_stop()
    delivery.join()
    assert waited == [3000]


def numbers_of(subscriber):
    return [json.loads(payload)["number"] for _, payload in subscriber.heard]


def test_a_broker_killed_and_started_again_gets_everything(record, make_broker, tmp_path):
    kept = ("persistence true", f"persistence_location {tmp_path}/", "autosave_interval 1")
    broker = make_broker(settings=("allow_anonymous true", "autosave_on_changes true", *kept))
    subscriber = Subscriber(broker.port, is_remembered=True)
    mqtt = Mqtt(f"mqtt://127.0.0.1:{broker.port}/line")
    with delivering([mqtt], record) as (delivery,):
        add(record, 1, 2)
        until(lambda: len(subscriber.heard) == 2)
        broker.kill()
        add(record, 3, 4)
        until(lambda: delivery.is_failing)
        broker.start()
        add(record, 5)
        until(lambda: delivery.lag == 0)
        until(lambda: len(subscriber.heard) >= 5)
    subscriber.close()
    assert sorted(set(numbers_of(subscriber))) == [1, 2, 3, 4, 5]


SENDER = textwrap.dedent(
    """
    import sys
    from rcae.line.outputs.delivery import delivering
    from rcae.line.outputs.mqtt import Mqtt
    from rcae.line.record.record import Record

    record = Record.open(sys.argv[1])
    with delivering([Mqtt(sys.argv[2])], record):
        print("started", flush=True)
        sys.stdin.read()
    """
)


def test_a_sender_killed_in_the_middle_loses_nothing_and_repeats_at_most_one(
    record, store, broker, subscriber
):
    command = [sys.executable, "-P", "-c", SENDER, store, f"mqtt://127.0.0.1:{broker.port}/line"]

    def start():
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout.readline() == b"started\n"
        return process

    with start() as killed:
        add(record, *range(1, 101))
        until(lambda: len(subscriber.heard) >= 20, 60)
        killed.kill()
        killed.wait()
    with start() as going_on:
        until(lambda: set(numbers_of(subscriber)) == set(range(1, 101)), 60)
        going_on.send_signal(signal.SIGKILL)
        going_on.wait()
    numbers = numbers_of(subscriber)
    assert sorted(numbers) == numbers
    assert len(numbers) - 100 <= 1
    assert len(set(numbers)) == 100
