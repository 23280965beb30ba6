"""The monitor: keeps its rate, sees and dates a change, and tells defects from a shift."""

import numpy as np
import pytest
from scipy import stats

from rcae.base.errors import UsageError
from rcae.detector.calibration import Calibration, calibrate
from rcae.evaluation.drift.martingale import Ranks
from rcae.evaluation.drift.monitor import DriftVerdict, Monitor


def watched(calibration, scores, rate=0.01):
    """All states of a new monitor."""
    monitor = Monitor(calibration, rate)
    return [monitor.observe(float(score)) for score in scores]


def test_a_monitor_that_is_saved_and_restored_goes_on_as_if_nothing_had_happened():
    random = np.random.default_rng(0)
    calibration = calibrate(np.round(random.normal(size=30), 1).tolist(), 0.0, 0.1)
    scores = np.round(random.normal(size=300), 1)  # many are equal, so chance decides their order
    scores[150:] += 1.5
    expected = watched(calibration, scores)
    for stop in (0, 1, 100, 200):
        first = Monitor(calibration)
        for score in scores[:stop]:
            first.observe(float(score))
        second = Monitor(calibration)
        second.restore(first.saved())
        assert [second.observe(float(score)) for score in scores[stop:]] == expected[stop:]
        assert second.state == expected[-1]


def normal_calibration(random, count, rate=0.05):
    return calibrate(random.normal(size=count).astype(np.float32).tolist(), 0.0, rate)


@pytest.mark.parametrize("count", [8, 19, 50])
def test_good_images_ever_raise_an_alarm_no_more_often_than_stated(count):
    random = np.random.default_rng(count)
    alarms, streams, rate = 0, 300, 0.3
    for _ in range(streams):
        monitor = Monitor(normal_calibration(random, count), rate)
        for score in random.normal(size=40).tolist():
            state = monitor.observe(score)
        alarms += state.seen is not None
    assert alarms / streams <= rate
    assert alarms > 0  # a monitor that never speaks would keep any rate


def good_streams(decimals, calibrated, images, streams):
    """A calibration and scores after it, exchangeable, of as many streams; rounding makes them tie."""
    random = np.random.default_rng(0)
    for _ in range(streams):
        scores = random.uniform(1, 2) * np.round(random.normal(size=calibrated + images), decimals)
        yield calibrate(scores[:calibrated].tolist(), 0.0, 0.3), scores[calibrated:]


@pytest.mark.parametrize("decimals", [7, 0], ids=["continuous", "tied"])
def test_an_accepted_score_is_equally_likely_to_have_any_rank(decimals, monkeypatch):
    ranks = []

    class Recorded(Ranks):
        def rank(self, score):
            ranks[-1].append(super().rank(score))
            return ranks[-1][-1]

    monkeypatch.setattr("rcae.evaluation.drift.monitor.Ranks", Recorded)
    for calibration, scores in good_streams(decimals, calibrated=9, images=2, streams=2000):
        ranks.append([])
        watched(calibration, scores)
    # ceil(10 * 0.7) = 7: six calibration scores below the one that sets the threshold
    first = [rank[0].above for rank in ranks if len(rank) > 0]
    second = [rank[1].above for rank in ranks if len(rank) > 1]
    assert stats.chisquare(np.bincount(first, minlength=7)).pvalue > 0.001
    assert stats.chisquare(np.bincount(second, minlength=8)).pvalue > 0.001


@pytest.mark.parametrize("decimals", [7, 0], ids=["continuous", "tied"])
@pytest.mark.parametrize("calibrated", [2, 9])
def test_bets_on_rejection_have_a_mean_of_one_while_nothing_changes(calibrated, decimals):
    streams = good_streams(decimals, calibrated, images=4, streams=1000)
    capital = [10 ** watched(*stream)[-1].rejection_evidence for stream in streams]
    error = np.std(capital) / np.sqrt(len(capital))
    assert error < 0.03
    assert abs(np.mean(capital) - 1) < 3.5 * error


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(1.5, DriftVerdict.HIGHER), (8, DriftVerdict.HIGHER), (-1.5, DriftVerdict.LOWER)],
)
def test_a_shift_of_all_scores_is_seen_told_by_its_direction_and_dated(shift, verdict):
    random = np.random.default_rng(1)
    ends = []
    for _ in range(20):
        scores = random.normal(size=140)
        scores[60:] += shift
        ends.append(watched(normal_calibration(random, 50), scores)[-1])
    assert sum(end.verdict is verdict for end in ends) >= 18
    assert all(end.since <= end.seen for end in ends if end.since)
    assert abs(np.median([end.since for end in ends if end.since]) - 61) <= 3


def test_defects_are_told_from_a_shift_and_dated():
    random = np.random.default_rng(2)
    ends = []
    for _ in range(20):
        scores = random.normal(size=200)
        defective = np.flatnonzero(random.random(200) < 0.3)
        defective = defective[defective >= 80]
        scores[defective] = random.normal(8, 1, len(defective))
        calibration = normal_calibration(random, 50)
        end = watched(calibration, scores)[-1]
        ends.append(end)
        if end.since:
            rejected = np.count_nonzero(scores[end.since - 1 :] >= calibration.threshold)
            assert end.rejected_since == rejected
    assert sum(end.verdict is DriftVerdict.DEFECTS for end in ends) >= 18
    assert abs(np.median([end.since for end in ends if end.since]) - 81) <= 5


def test_drift_after_thousands_of_good_images_is_seen_nearly_as_soon():
    random = np.random.default_rng(3)
    scores = random.normal(size=4060)
    scores[4000:] += 2
    end = watched(normal_calibration(random, 50), scores)[-1]
    assert end.verdict is DriftVerdict.HIGHER
    assert abs(end.since - 4001) <= 3
    assert end.seen <= 4040


@pytest.mark.parametrize(
    "scores", [[0.5] * 300, [0.0, 1.0] * 150, [0.0, 0.0, 1.0] * 100], ids=["one", "two", "three"]
)
def test_equal_scores_raise_no_alarm(scores):
    assert watched(calibrate(scores[:20], 0.0, 0.05), scores)[-1].verdict is DriftVerdict.NONE


@pytest.mark.parametrize(("count", "images"), [(4, 60), (19, 60)])
def test_a_calibration_without_a_score_above_its_threshold_still_notices_rejections(count, images):
    calibration = calibrate(list(range(count)), 0.0, 0.001)
    assert max(calibration.scores) < calibration.threshold
    end = watched(calibration, [99.0] * images)[-1]
    assert (end.verdict, end.since) == (DriftVerdict.HIGHER, 1)
    assert end.rejected_since == images


def test_only_the_order_of_scores_matters_and_no_chance():
    random = np.random.default_rng(4)
    calibration = normal_calibration(random, 30)
    stretched = Calibration(
        scores=tuple(np.exp(calibration.scores)),
        typical_value=0.0,
        false_alarm_rate=calibration.false_alarm_rate,
        threshold=float(np.exp(calibration.threshold)),
    )
    scores = random.normal(0.7, 1, size=100)
    assert watched(calibration, scores) == watched(stretched, np.exp(scores))


def test_a_verdict_changes_with_more_images_but_drift_stays_and_keeps_its_date():
    random = np.random.default_rng(5)
    scores = random.normal(size=600)
    scores[50:56] = 9  # all rejected: at first this looks like light or focus
    states = watched(normal_calibration(random, 50), scores)
    first = next(state for state in states if state.seen)
    assert first.verdict is DriftVerdict.HIGHER
    assert states[-1].verdict is DriftVerdict.DEFECTS
    assert {(state.since, state.seen) for state in states[first.images :]} == {(51, first.images)}


def test_an_alarm_comes_at_the_first_image_with_enough_evidence_and_not_before():
    random = np.random.default_rng(6)
    calibration = normal_calibration(random, 50)
    states = watched(calibration, random.normal(1, 1, 150), rate=0.02)
    (first,) = [state for state in states if state.seen == state.images]
    assert Monitor(calibration, 0.02).alarm_evidence == pytest.approx(2)
    assert max(first.shift_evidence, first.rejection_evidence) >= 2
    before = states[: first.images - 1]
    assert max(max(s.shift_evidence, s.rejection_evidence) for s in before) < 2
    assert all(state.since is None and state.verdict is DriftVerdict.NONE for state in before)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_number_is_refused_and_not_counted(score):
    monitor = Monitor(calibrate([0.1, 0.2], 0.0, 0.5))
    with pytest.raises(UsageError, match="is not a finite number"):
        monitor.observe(score)
    assert monitor.observe(0.1).images == 1


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2, float("nan")])
def test_a_rate_outside_0_and_1_is_refused(rate):
    with pytest.raises(UsageError, match="not between 0 and 1"):
        Monitor(calibrate([0.1, 0.2], 0.0, 0.5), rate)
