"""Conformal test martingale: bets that something changed; their capital is the evidence.

Only the rank of each new score counts, among the reference and all scores before it. These ranks are
independent and uniform while nothing changes. This is exact for any size of the reference, so that no bet
on ranks wins money on average. Capital that starts at 1 ever reaches 1 / alpha with a probability of at
most alpha (Ville, 1939). See chapter 8 of Vovk, Gammerman and Shafer, Algorithmic Learning in a Random
World (2nd ed., 2022).

Ranks among the reference alone would not do: all of them would share the luck of its few draws. The
capital of a bet on that luck would grow for ever although nothing changes.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri


class Rank(NamedTuple):
    """Position of a score among others."""

    above: int
    """Number of higher scores."""
    below: int
    """Number of lower scores."""


class Ranks:
    """The scores so far, and the rank of each new one among them."""

    def __init__(self, reference: Iterable[float], random: np.random.Generator) -> None:
        self._scores = array("d", sorted(reference))
        self._random = random

    @property
    def scores(self) -> NDArray[np.float64]:
        """All scores so far, ascending."""
        return np.array(self._scores)

    def restore(self, scores: NDArray[np.float64]) -> None:
        """Go on from these scores, ascending."""
        self._scores = array("d", scores.tobytes())

    def rank(self, score: float) -> Rank:
        """Return the rank of a score among all before it, and add it; equal ones get a random order.

        The search takes time in the logarithm of their number; the insertion moves 8 bytes per score.
        """
        below, others = bisect_left(self._scores, score), len(self._scores)
        equal = bisect_right(self._scores, score, lo=below) - below
        self._scores.insert(below, score)
        if equal:
            below += int(self._random.integers(equal + 1))
        return Rank(above=others - below, below=below)


def shift_outcomes(rank: Rank, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the payoff of a stake of 1 on each shift: float64 [shift], with a mean of 1 over all ranks.

    The payoff is a likelihood ratio of the rank. The numerator is its probability if scores are normal
    and moved by so many standard deviations. The denominator is its probability if nothing moved. This
    is our choice: such bets win sooner than powers of the p-value when scores move together.
    """
    if rank.above > rank.below:  # the other end of the normal distribution is computed exactly
        return shift_outcomes(Rank(above=rank.below, below=rank.above), -shifts)
    count = rank.above + rank.below + 1
    first, last = ndtri(rank.above / count), ndtri((rank.above + 1) / count)
    outcomes: NDArray[np.float64] = count * (ndtr(last + shifts) - ndtr(first + shifts))
    return outcomes


class Bets:
    """The capital of several bets, each of them started again at every observation.

    Every start owns a share of the capital in advance. The sum is thus a martingale that starts at 1. It
    sees a change after thousands of observations nearly as soon as after ten.

    The share that waits for starts after the t-th is 1 / (1 + log(1 + t)) (our choice). It falls slowly,
    so that a late start is not worth much less than an early one. All shares still sum to 1.

    One addition per bet and observation keeps all starts. The running capital becomes
    (running + starting now) * outcome.
    """

    def __init__(self, bet_count: int) -> None:
        self.log10 = 0.0
        """Capital, as a power of ten."""
        self._count = 0
        self._running = np.full(bet_count, -np.inf)
        """Log capital of each bet, over all its starts so far."""
        self._growth = np.zeros(bet_count)
        """Log gain of each bet since its best start: CUSUM (Page, 1954)."""
        self._since = np.zeros(bet_count, dtype=np.int64)

    def observe(self, number: int, log_outcomes: NDArray[np.float64]) -> None:
        """Settle every bet.

        Args:
            number: Number of the image, for `since`.
            log_outcomes: [bet], log payoff of a stake of 1 on each bet; a payoff has a mean of at most 1.
        """
        starting = math.log(math.log1p(1 / (1 + self._count)))
        starting += math.log(_waiting(self._count) * _waiting(self._count + 1))
        starting -= math.log(len(log_outcomes))
        self._running = np.logaddexp(self._running, starting) + log_outcomes
        self._since[self._growth <= 0] = number
        self._growth = np.maximum(self._growth, 0) + log_outcomes
        self._count += 1
        waiting = math.log(_waiting(self._count))
        capital = np.logaddexp(np.logaddexp.reduce(self._running), waiting)
        self.log10 = float(capital) / math.log(10)

    def saved(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays, for `restore`."""
        return {
            "capital": np.array([self.log10, self._count]),
            "running": self._running,
            "growth": self._growth,
            "since": self._since,
        }

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the state that `saved` returned."""
        self.log10, self._count = float(saved["capital"][0]), int(saved["capital"][1])
        self._running, self._growth, self._since = (
            np.array(saved[name]) for name in ("running", "growth", "since")
        )

    @property
    def leader(self) -> int:
        """Index of the bet with the largest gain since its best start."""
        return int(self._growth.argmax())

    @property
    def since(self) -> int:
        """Best start of the leader: the likeliest first image after a change, if there is one."""
        return int(self._since[self.leader])


def _waiting(count: int) -> float:
    """Return the share of capital for starts after `count` observations."""
    return 1 / (1 + math.log1p(count))
