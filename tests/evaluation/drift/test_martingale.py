"""Bets: ranks are exactly even and independent, and capital is what its definition says."""

import math

import numpy as np
import pytest
from scipy import stats

from rcae.evaluation.drift.martingale import Bets, Rank, Ranks, shift_outcomes

STREAMS, IMAGES = 3000, 8


@pytest.fixture(scope="module", params=["continuous", "tied"])
def ranks(request):
    """[stream, image] of exchangeable scores, each stream with a reference of eight of its own."""
    random = np.random.default_rng(0)
    scores = random.gamma(0.5, size=(STREAMS, 8 + IMAGES))
    if request.param == "tied":
        scores = np.round(scores)
    rows = []
    for row in scores.tolist():
        ranked = Ranks(row[:8], random)
        rows.append([ranked.rank(score).above for score in row[8:]])
    return np.array(rows)


def test_every_rank_is_equally_likely_although_the_reference_is_small(ranks):
    for before, column in enumerate(ranks.T, start=8):
        assert stats.chisquare(np.bincount(column, minlength=before + 1)).pvalue > 0.001
    p_values = (ranks + np.random.default_rng(1).random(ranks.shape)) / np.arange(9, 9 + IMAGES)
    assert stats.kstest(p_values.ravel(), "uniform").pvalue > 0.001


def test_ranks_of_one_stream_are_independent_of_one_another(ranks):
    # Means of shares that had the luck of one reference in common would spread twice as much.
    before = np.arange(8, 8 + IMAGES)
    expected = np.mean(before * (before + 2) / 12 / before**2) / IMAGES
    assert np.var((ranks / before).mean(axis=1)) == pytest.approx(expected, rel=0.1)
    table = np.zeros((9, 10))
    np.add.at(table, (ranks[:, 0], ranks[:, 1]), 1)
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_a_rank_counts_higher_and_lower_scores_and_orders_equal_ones_at_random():
    random = np.random.default_rng(0)
    drawn = {Ranks([1, 3, 2, 2], random).rank(2) for _ in range(100)}
    assert drawn == {Rank(1, 3), Rank(2, 2), Rank(3, 1)}
    assert Ranks([1, 3, 2], random).rank(9) == Rank(above=0, below=3)
    assert Ranks([], random).rank(9) == Rank(0, 0)


def test_a_score_joins_those_that_later_ones_are_ranked_among():
    ranked = Ranks([0.0], np.random.default_rng(0))
    assert ranked.rank(1.0) == Rank(above=0, below=1)
    assert ranked.rank(0.5) == Rank(above=1, below=1)


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_bets_on_a_shift_have_a_mean_of_one_over_all_ranks(count):
    ranked = [Rank(above, count - 1 - above) for above in range(count)]
    outcomes = [shift_outcomes(rank, np.array([0.5, 3.0, -1.0])) for rank in ranked]
    np.testing.assert_allclose(np.mean(outcomes, axis=0), 1)


def test_a_bet_on_a_shift_pays_how_much_likelier_the_rank_would_be():
    # The highest of four: above the upper quartile, 0.6745 standard deviations.
    normal = stats.norm(loc=1.0)
    (paid,) = shift_outcomes(Rank(above=0, below=3), np.array([1.0]))
    assert paid == pytest.approx(4 * normal.sf(stats.norm.isf(0.25)))
    (paid,) = shift_outcomes(Rank(above=2, below=1), np.array([1.0]))
    assert paid == pytest.approx(4 * (normal.cdf(0) - normal.cdf(stats.norm.ppf(0.25))))


@pytest.mark.parametrize("rank", [Rank(0, 10**9), Rank(10**9, 0)])
def test_the_extreme_of_a_thousand_million_scores_neither_wins_nor_loses_everything(rank):
    outcomes = shift_outcomes(rank, np.array([2.0, -2.0]))
    assert (np.log(outcomes) < 12).all()
    assert (np.log(outcomes) > -20).all()


def capital_by_definition(outcomes):
    """Shares of 1 for every bet and start, each multiplied by all outcomes from its start on."""
    count, bets = outcomes.shape
    waiting = [1 / (1 + math.log(1 + t)) for t in range(count + 1)]
    total = waiting[count]
    for start in range(count):
        for bet in range(bets):
            share = (waiting[start] - waiting[start + 1]) / bets
            total += share * math.prod(outcomes[start:, bet])
    return total


def test_capital_is_the_sum_over_all_starts_and_bets():
    outcomes = np.random.default_rng(0).uniform(0.3, 2.0, (40, 3))
    evidence = Bets(3)
    for number, row in enumerate(outcomes, start=1):
        evidence.observe(number, np.log(row))
        expected = capital_by_definition(outcomes[:number])
        assert evidence.log10 == pytest.approx(math.log10(expected), abs=1e-9)


def test_bets_that_neither_win_nor_lose_leave_the_capital_at_one():
    evidence = Bets(4)
    for number in range(1, 2000):
        evidence.observe(number, np.zeros(4))
        assert evidence.log10 == pytest.approx(0, abs=1e-9)


def test_winning_and_losing_without_end_neither_overflow_nor_stop_the_count():
    evidence = Bets(2)
    for number in range(1, 3000):
        evidence.observe(number, np.array([50.0, -50.0]))
    assert evidence.log10 == pytest.approx(2998 * 50 / math.log(10), rel=1e-3)
    for number in range(3000, 9000):
        evidence.observe(number, np.array([-50.0, -50.0]))
    assert -2 < evidence.log10 < 0  # what still waits, and nothing else


def test_capital_lost_on_a_long_quiet_time_does_not_hinder_a_late_start():
    evidence = Bets(1)
    for number in range(1, 10_001):
        evidence.observe(number, np.array([-0.1]))
    for number in range(10_001, 10_021):
        evidence.observe(number, np.array([1.0]))
    assert evidence.log10 > (20 - math.log(10_000) - 2 * math.log(1 + math.log(10_000))) / math.log(
        10
    )


def test_the_change_is_dated_to_where_the_winning_streak_began():
    evidence = Bets(2)
    for number, outcome in enumerate([-1.0] * 6 + [2.0, -0.5, 2.0, 2.0], start=101):
        evidence.observe(number, np.array([outcome, -1.0]))
    assert (evidence.leader, evidence.since) == (0, 107)
