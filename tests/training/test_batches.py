import os

import numpy as np
import pytest
import torch

from rcae.base.errors import DataError
from rcae.data.view.working_view import WorkingView
from rcae.training import batches as drawing
from rcae.training.batches import drawing_processes, drawn_ahead
from rcae.training.drawn import Batch, draw_batch
from rcae.training.training_set import TrainingSet

BY = pytest.mark.parametrize("processes", [0, 2], ids=["threads", "processes"])
pytestmark = [
    # Python remarks on every fork of a process with threads; the forked ones use none of them.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # on one core
]


def numbered(step):
    return Batch(torch.full((1, 3, 2, 2), float(step)), torch.zeros(1, 2, 2), None, depth=1)


@BY
def test_batches_come_in_order_from_the_first_to_the_last(processes):
    drawn = [batch.image[0, 0, 0, 0].item() for batch in drawn_ahead(numbered, 3, 40, processes)]
    assert drawn == list(range(3, 40))


def test_threads_draw_no_further_ahead_than_they_should():
    drawn = []
    batches = drawn_ahead(lambda step: drawn.append(step) or numbered(step), 3, 40)
    next(batches)
    assert len(drawn) <= 2 + drawing.BATCHES_AHEAD


@BY
def test_an_error_while_drawing_reaches_the_caller_as_it_is(processes):
    def draw(step):
        if step == 2:
            raise DataError("broken")
        return numbered(step)

    with pytest.raises(DataError) as caught:
        list(drawn_ahead(draw, 0, 9, processes))
    assert str(caught.value) == "broken"


def test_processes_paint_the_very_batches_that_this_process_would(parts, tiny_settings):
    good = sorted((parts / "train" / "good").iterdir())
    training = TrainingSet(good, WorkingView(1.0))

    def draw(step):
        return draw_batch(training, tiny_settings, 2, step, paint=True)

    for step, batch in enumerate(drawn_ahead(draw, 0, 6, processes=2)):
        expected = draw(step)
        np.testing.assert_array_equal(batch.image, expected.image)
        np.testing.assert_array_equal(batch.mask, expected.mask)
        assert batch.depth == expected.depth
        assert batch.image.stride() == expected.image.stride()


def test_drawing_leaves_a_core_to_the_networks_and_shares_the_others(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    assert drawing_processes(torch.device("cuda")) == 15
    assert drawing_processes(torch.device("cuda"), trainings=4) == 3
    assert drawing_processes(torch.device("cuda"), trainings=16) == 1
    assert drawing_processes(torch.device("cpu")) == 0
