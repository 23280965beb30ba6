"""Progress display for training: stage, step, loss, images per second and time left."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def say(text: str) -> None:
    """Print one line for the user above any progress bar."""
    tqdm.write(text, file=sys.stderr)


def shown(items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items` with a progress bar on standard error.

    The bar appears with the first item, because an abandoned bar would stay and displace later bars.
    Pass an iterable that does the work itself, so that an error ends the bar.
    """
    yield from tqdm(
        items, desc=doing, total=total, leave=False, mininterval=_interval_s(), ascii=" #"
    )


class StageProgress:
    """Progress bar of one stage; the time left includes the later stages.

    `later_steps` is the work of the later stages, in steps of this stage.
    It was measured before training. It stays valid on a slower machine, because it is a ratio of speeds.
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
        """Count one step and show its smoothed loss."""
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
    """Return the refresh interval in seconds: short on a terminal, long in a log file."""
    return 0.2 if sys.stderr.isatty() else 15.0
