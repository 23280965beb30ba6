"""Bets that something changed, as money won by betting that it did.

Of each new score only its rank counts, among the reference and all scores before it. While nothing
changes, these ranks are independent and each is equally likely, exactly, however few scores the reference
holds; so no bet on them makes money on average, and capital that starts at 1 ever reaches 1 / alpha with
a probability of at most alpha (Ville, 1939; Vovk, Gammerman and Shafer, Algorithmic Learning in a Random
World, 2nd ed., 2022, chapter 8). Ranks among the reference alone would all share the luck of its few
draws, and the capital of a bet on that luck would grow for ever although nothing changes.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri


class Rank(NamedTuple):
    """Where a score stands among others."""

    above: int
    """How many score higher."""
    below: int
    """How many score lower."""


class Ranks:
    """The scores so far, and the rank of each new one among them."""

    def __init__(self, reference: Iterable[float], random: np.random.Generator) -> None:
        self._scores = array("d", sorted(reference))
        self._random = random

    def rank(self, score: float) -> Rank:
        """Its rank among all before it, which it then joins; equal ones are ordered at random.

        The time grows with the logarithm of their number, but for moving 8 bytes each.
        """
        below, others = bisect_left(self._scores, score), len(self._scores)
        equal = bisect_right(self._scores, score, lo=below) - below
        self._scores.insert(below, score)
        if equal:
            below += int(self._random.integers(equal + 1))
        return Rank(above=others - below, below=below)


def shift_outcomes(rank: Rank, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """What bets on a shift make of 1: float64 [shift], with a mean of 1 over all ranks.

    The probability of the rank if scores were normal and moved by so many standard deviations, over its
    probability if nothing moved (our choice: where scores do move together, such bets win sooner than
    powers of the p-value).
    """
    if rank.above > rank.below:  # the other end of the normal distribution is computed exactly
        return shift_outcomes(Rank(above=rank.below, below=rank.above), -shifts)
    count = rank.above + rank.below + 1
    first, last = ndtri(rank.above / count), ndtri((rank.above + 1) / count)
    outcomes: NDArray[np.float64] = count * (ndtr(last + shifts) - ndtr(first + shifts))
    return outcomes


class Bets:
    """The capital of several bets, each of them started again at every observation.

    A share of the capital goes to every start in advance, so the sum is a martingale from 1 and sees a
    change after thousands of observations nearly as soon as after ten. What waits for starts after the
    t-th is 1 / (1 + log(1 + t)) of it: our choice, since it falls slowly, so that a late start is not
    worth much less than an early one, and yet sums to 1. One addition per bet and observation keeps all
    starts: the capital running is (running + starting now) * outcome.
    """

    def __init__(self, bet_count: int) -> None:
        self.log10 = 0.0
        """The capital, as a power of ten."""
        self._count = 0
        self._running = np.full(bet_count, -np.inf)
        """Log capital of each bet, over all its starts so far."""
        self._growth = np.zeros(bet_count)
        """Log of what each bet has gained since its best start: CUSUM (Page, 1954)."""
        self._since = np.zeros(bet_count, dtype=np.int64)

    def observe(self, number: int, log_outcomes: NDArray[np.float64]) -> None:
        """Settle every bet.

        Args:
            number: of the image, for `since`.
            log_outcomes: [bet], log of what each bet makes of 1; the outcomes have a mean of at most 1.
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

    @property
    def leader(self) -> int:
        """Which bet has gained most since its best start."""
        return int(self._growth.argmax())

    @property
    def since(self) -> int:
        """The best start of that bet: the likeliest first image after a change, were there one."""
        return int(self._since[self.leader])


def _waiting(count: int) -> float:
    """The share of capital for starts after `count` observations."""
    return 1 / (1 + math.log1p(count))
