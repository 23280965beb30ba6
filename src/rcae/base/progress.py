"""What a person sees while training runs: stage, step, loss, images per second, time left."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def say(text: str) -> None:
    """One line for the user, above any progress bar."""
    tqdm.write(text, file=sys.stderr)


def shown(items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:
    """Iterate with a progress bar on standard error.

    It appears with the first item: one that nobody iterates would stay, and move all later ones. Give it
    work to iterate, not what to work on: an error then passes through the bar, and ends it.
    """
    yield from tqdm(
        items, desc=doing, total=total, leave=False, mininterval=_interval_s(), ascii=" #"
    )


class StageProgress:
    """The progress bar of one stage; time left counts the stages to come as well.

    `later_steps` is what those amount to in steps of this one. They were measured before training, and
    whatever slowed the machine down for a moment then slowed all of them: what lasts is their ratio.
    """

    def __init__(
        self,
        title: str,
        *,
        first_step: int,
        steps: int,
        batch_size: int,
        later_steps: float,
    ) -> None:
        self._batch_size = batch_size
        self._later_steps = later_steps
        self._started_at = time.perf_counter()
        self._smoothed_loss: float | None = None
        self._bar = tqdm(
            total=steps,
            initial=first_step,
            desc=title,
            unit="step",
            mininterval=_interval_s(),
            bar_format="{desc} {percentage:3.0f}% |{bar:20}| step {n}/{total} {postfix}",
            ascii=" #",
        )

    def step(self, loss: float) -> None:
        """Count one step."""
        previous = loss if self._smoothed_loss is None else self._smoothed_loss
        self._smoothed_loss = 0.95 * previous + 0.05 * loss
        done = self._bar.n + 1 - self._bar.initial
        step_s = max(time.perf_counter() - self._started_at, 1e-9) / done
        left_s = step_s * (self._bar.total - self._bar.n - 1 + self._later_steps)
        self._bar.set_postfix_str(
            f"loss {self._smoothed_loss:.4f}, {self._batch_size / step_s:.1f} images/s, "
            f"{tqdm.format_interval(left_s)} left",
            refresh=False,
        )
        self._bar.update()

    def close(self) -> None:
        """Leave the finished bar on the screen."""
        self._bar.refresh()
        self._bar.close()


def _interval_s() -> float:
    """Often on a screen, seldom in a log file."""
    return 0.2 if sys.stderr.isatty() else 15.0
