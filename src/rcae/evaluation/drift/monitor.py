"""Do recent scores still look like the calibration scores? Watched image by image, at a stated rate."""

import math
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from rcae.base.errors import UsageError
from rcae.detector.calibration import Calibration, threshold_rank
from rcae.evaluation.drift.martingale import Bets, Ranks, shift_outcomes

SHIFTS = np.array([0.5, 1.0, 2.0, -0.5, -1.0, -2.0])
"""Our choice: bets that scores moved by so many standard deviations, were they normal."""
DEFECT_SHARES = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
"""Our choice: bets that so large a share of images has a new defect and is rejected."""


class DriftVerdict(StrEnum):
    """What became of the scores."""

    NONE = "no drift"
    DEFECTS = "more defects"
    HIGHER = "everything shifted up"
    LOWER = "everything shifted down"


@dataclass(frozen=True)
class DriftState:
    """What a monitor says after an image; images are counted from 1."""

    images: int
    """Images observed."""
    shift_evidence: float
    """That accepted images score otherwise than they did: a power of ten, 0 at the start."""
    rejection_evidence: float
    """That more images are rejected, or nearly, than calibration allows: likewise."""
    verdict: DriftVerdict
    """Once there is drift it stays; its kind is judged again with every image."""
    seen: int | None = None
    """The image at which evidence first reached `Monitor.alarm_evidence`."""
    since: int | None = None
    """The likeliest first image of the drift, as judged at that moment; about right, not exact."""
    rejected_since: int = 0
    """Images rejected from that one to now."""


class Monitor:
    """Compares each new score with calibration, and never forgets; O(log n) and 8 bytes an image.

    Two kinds of evidence, for which half the false-alarm rate each is spent:

    shift: over accepted images alone, whether their scores rank evenly among the accepted calibration
    scores and each other. Rejected images do not count, so defects, which are rejected, do not look like
    a shift. The threshold lies just above the k-th smallest calibration score; given that score, the
    smaller ones and the new accepted ones are exchangeable, so it is left out itself.

    rejections: whether images reach the k-th smallest calibration score more often than calibration
    allows. Of t - 1 images r did and n scores calibrated: the next does with a probability of exactly
    (n - k + 1 + r) / (n + t), whatever the scores' distribution (Pólya's urn). These are the rejected
    images, and the few accepted ones that lie between that score and the threshold, `RUNTIME_MARGIN`
    above it; of the threshold itself no such probability is known. Nothing else of a score is used:
    ranks of high scores would also answer to a small shift of all images, before the other evidence can
    tell the two apart.

    If all images change so much that hardly one is accepted, only the second kind can see it. Therefore:
    where more than half of the images since then are rejected, everything shifted (our choice: a
    process seldom fails in every second part, light and focus fail in all).

    Equal scores are ordered at random, so that both kinds stay exact. The seed is taken from the
    calibration scores: every run says the same, and yet no two models share their luck.

    >>> from rcae.detector.calibration import calibrate
    >>> monitor = Monitor(calibrate([0.1 * n for n in range(20)], 0.0, 0.05))
    >>> monitor.observe(0.7).verdict.value
    'no drift'
    """

    def __init__(self, calibration: Calibration, false_alarm_rate: float = 0.01) -> None:
        """Start with no image seen.

        Args:
            calibration: of the detector that gives the scores, `Detector.calibration`.
            false_alarm_rate: the probability of ever reporting drift while nothing changes, in 0..1.

        Raises:
            UsageError: the rate is not between 0 and 1.
        """
        if not 0 < false_alarm_rate < 1:
            raise UsageError(
                f"A false-alarm rate of {false_alarm_rate} is not between 0 and 1; give one like 0.01."
            )
        self.alarm_evidence = math.log10(2 / false_alarm_rate)
        """Bets of either kind that means drift."""
        scores = sorted(calibration.scores)
        rank = threshold_rank(len(scores), calibration.false_alarm_rate, calibration.confidence)
        self._random = np.random.default_rng(np.array(scores).view(np.uint64))
        self._threshold = calibration.threshold
        self._limit = scores[rank - 1]
        below, equal = bisect_left(scores, self._limit), scores.count(self._limit)
        self._tied_below = self._random.beta(rank - below, below + equal - rank + 1)
        """Which share of scores that equal the limit is ordered below it."""
        self._accepted = Ranks(scores[: rank - 1], self._random)
        self._above, self._all = len(scores) - rank + 1, len(scores) + 1
        """The urn."""
        self._images, self._rejected = 0, array("q")
        self._shift, self._rejections = Bets(len(SHIFTS)), Bets(len(DEFECT_SHARES))
        self._seen: int | None = None
        self._since: int | None = None
        self._shifted_by = 0.0

    def observe(self, anomaly_score: float) -> DriftState:
        """Take the next score into account.

        Raises:
            UsageError: the score is not a finite number; nothing is counted.
        """
        if not math.isfinite(anomaly_score):
            raise UsageError(f"An anomaly score of {anomaly_score} is not a finite number.")
        self._images += 1
        if anomaly_score >= self._threshold:
            self._rejected.append(self._images)
        is_below = self._is_below_limit(anomaly_score)
        self._bet_on_rejection(is_below)
        if is_below:
            self._bet_on_shift(anomaly_score)
        self._note_alarms()
        return self._state()

    def _is_below_limit(self, score: float) -> bool:
        tied_below = score == self._limit and self._random.random() < self._tied_below
        return score < self._limit or tied_below

    def _bet_on_rejection(self, is_below: bool) -> None:
        chance = self._above / self._all
        outcomes = 1 - DEFECT_SHARES
        if not is_below:
            outcomes += DEFECT_SHARES / chance
        self._rejections.observe(self._images, np.log(outcomes))
        self._above, self._all = self._above + (not is_below), self._all + 1

    def _bet_on_shift(self, score: float) -> None:
        outcomes = shift_outcomes(self._accepted.rank(score), SHIFTS)
        self._shift.observe(self._images, np.log(outcomes))

    def _note_alarms(self) -> None:
        """At the first evidence of each kind that is enough."""
        for evidence in (self._shift, self._rejections):
            if self._seen is None and evidence.log10 >= self.alarm_evidence:
                self._seen, self._since = self._images, evidence.since
        if not self._shifted_by and self._shift.log10 >= self.alarm_evidence:
            self._shifted_by = float(SHIFTS[self._shift.leader])

    def _state(self) -> DriftState:
        rejected_since = 0
        if self._since is not None:
            rejected_since = len(self._rejected) - bisect_left(self._rejected, self._since)
        return DriftState(
            images=self._images,
            shift_evidence=self._shift.log10,
            rejection_evidence=self._rejections.log10,
            verdict=self._verdict(rejected_since),
            seen=self._seen,
            since=self._since,
            rejected_since=rejected_since,
        )

    def _verdict(self, rejected_since: int) -> DriftVerdict:
        if self._since is None:
            return DriftVerdict.NONE
        if self._shifted_by:
            return DriftVerdict.HIGHER if self._shifted_by > 0 else DriftVerdict.LOWER
        count = self._images - self._since + 1
        return DriftVerdict.HIGHER if 2 * rejected_since > count else DriftVerdict.DEFECTS
