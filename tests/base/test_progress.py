import logging
import sys
from types import SimpleNamespace

import pytest

from rcae.base import display
from rcae.base.progress import Progress, StageProgress, following, say, shown, warn


@pytest.fixture
def clock(monkeypatch):
    """Time in seconds, which tests move."""
    clock = SimpleNamespace(now_s=100.0)
    told = SimpleNamespace(perf_counter=lambda: clock.now_s, monotonic=lambda: clock.now_s)
    monkeypatch.setattr("rcae.base.progress.time", told)
    monkeypatch.setattr("rcae.base.display.time", told)
    return clock


def counted(clock, each_s, count=4):
    for number in shown(range(count), "counting"):
        clock.now_s += each_s
        yield number


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Standard error is a terminal of 60 columns; returns what it shows at the end, line by line."""
    monkeypatch.setattr("rcae.base.progress.display_here", display.Terminal)
    monkeypatch.setenv("COLUMNS", "60")

    def screen():
        lines, at = [[]], 0
        for character in capsys.readouterr().err:
            if character == "\n":
                lines.append([])
            if character in "\r\n":
                at = 0
                continue
            lines[-1][at : at + 1] = character
            at += 1
        return ["".join(line).rstrip() for line in lines]

    return screen


def test_callbacks_see_every_item_with_the_time_left(clock):
    seen = []
    with following(quiet=True, callbacks=[seen.append]):
        assert list(counted(clock, 2.0)) == [0, 1, 2, 3]
    assert [(state.done, state.total, state.left_s) for state in seen] == [
        (1, 4, 6.0),
        (2, 4, 4.0),
        (3, 4, 2.0),
        (4, 4, 0.0),
    ]


def test_nothing_is_reported_outside_a_block_or_after_it(clock):
    seen = []
    with following(quiet=True, callbacks=[seen.append]):
        pass
    list(counted(clock, 1.0))
    assert seen == []


def test_an_inner_block_adds_its_callbacks_to_those_around_it(clock):
    outer, inner = [], []
    with following(quiet=True, callbacks=[outer.append]):
        with following(callbacks=[inner.append]):
            list(counted(clock, 1.0, 2))
        list(counted(clock, 1.0, 1))
    assert (len(outer), len(inner)) == (3, 2)


def test_what_a_callback_raises_ends_the_work(clock):
    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), following(quiet=True, callbacks=[stop]):
        list(counted(clock, 1.0))


def test_time_left_is_what_this_stage_takes_for_all_steps_to_come(clock):
    seen = []
    with following(quiet=True, callbacks=[seen.append]):
        progress = StageProgress("stage 1/3", first_step=2, steps=10, batch_size=4, later_steps=5.5)
        for _ in range(4):
            clock.now_s += 2.0
            progress.step(loss=0.5)
    # 4 of this stage's own steps are left, and 5.5 for the others, of 2 s each.
    assert str(seen[-1]) == (
        "stage 1/3  60% |############        | 6/10, loss 0.5000, 2.0 images/s, 00:19 left"
    )


def test_a_file_gets_a_line_every_few_seconds_without_control_characters(clock, capsys):
    with following(is_command=True):
        for number in counted(clock, 4.0, 7):
            if number == 3:
                say("half of it")
                warn("an odd image")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[0].split("| ")[-1] for line in lines] == [
        "3/7",
        "half of it",
        "warning: an odd image",
        "6/7",
    ]
    assert all(line.isprintable() for line in lines)


def test_the_last_state_of_a_stage_stays_in_a_file(clock, capsys):
    with following(is_command=True):
        progress = StageProgress("stage", first_step=0, steps=2, batch_size=1, later_steps=0)
        progress.step(0.5)
        progress.step(0.5)
        progress.close()
    assert capsys.readouterr().err.startswith("stage 100% |####################| 2/2, loss 0.5000")


def test_a_terminal_shows_one_line_that_moves_below_the_messages(clock, terminal):
    with following(is_command=True):
        for number in counted(clock, 1.0, 4):
            if number == 2:
                say("half of it")
    assert terminal() == ["half of it", ""]


def test_a_terminal_still_shows_a_line_that_is_not_done(clock, terminal):
    with following(is_command=True):
        items = counted(clock, 1.0, 4)
        next(items), next(items)
        say("said")
        assert terminal() == ["said", "counting  25% |#####               | 1/4, 00:03 left"]
        items.close()


def test_a_notebook_has_one_output_that_changes(clock, capsys, monkeypatch):
    shows = []

    class Handle:
        def update(self, content, raw):
            shows.append(("update", content["text/plain"]))

    def show(content, raw, display_id):
        shows.append(("new", content["text/plain"]))
        return Handle()

    monkeypatch.setitem(
        sys.modules,
        "IPython",
        SimpleNamespace(
            get_ipython=lambda: SimpleNamespace(kernel=1), display=SimpleNamespace(display=show)
        ),
    )
    with following(is_command=True):
        say("begins")
        list(counted(clock, 1.0, 3))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("begins\n", "")
    assert [how for how, _ in shows] == ["new", "update", "update", "update"]
    assert [line.split("| ")[-1] for _, line in shows] == [
        "1/3, 00:02 left",
        "2/3, 00:01 left",
        "3/3, 00:00 left",
        "",
    ]


def test_a_program_that_configured_logging_gets_the_messages_there_alone(capsys, caplog):
    with following(), caplog.at_level(logging.INFO, "rcae"):
        say("to the program")
    assert caplog.record_tuples == [("rcae", logging.INFO, "to the program")]
    assert capsys.readouterr().err == ""


def test_messages_appear_where_nobody_configured_logging(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with following():
        say("on the screen")
    with following(quiet=True):
        say("not at all")
        warn("never silenced")
    assert capsys.readouterr().err == "on the screen\nnever silenced\n"
    assert display.LOGGER.handlers == []


def test_progress_without_a_total_is_a_count():
    assert str(Progress("listing images", 12, None, None)) == "listing images 12"
