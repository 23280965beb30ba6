"""Monitor: do new scores still look like the calibration scores? It has a stated false-alarm rate."""

import io
import json
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
"""Bets that scores moved by so many standard deviations, as if they were normal (our choice)."""
DEFECT_SHARES = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
"""Bets that this share of images has a new defect and is rejected (our choice)."""


class DriftVerdict(StrEnum):
    """Verdict on the scores."""

    NONE = "no drift"
    DEFECTS = "more defects"
    HIGHER = "everything shifted up"
    LOWER = "everything shifted down"


@dataclass(frozen=True)
class DriftState:
    """State of a monitor after an image; images are counted from 1."""

    images: int
    """Number of images observed."""
    shift_evidence: float
    """Evidence that scores of accepted images changed: a power of ten, 0 at the start."""
    rejection_evidence: float
    """Evidence that more images are rejected than calibration allows: a power of ten, 0 at the start.

    It also counts images that are nearly rejected; see `Monitor`.
    """
    verdict: DriftVerdict
    """Verdict so far. Drift stays reported; its kind is judged again with every image."""
    seen: int | None = None
    """Image at which evidence first reached `Monitor.alarm_evidence`."""
    since: int | None = None
    """Likeliest first image of the drift, as judged at that moment; it is approximate."""
    rejected_since: int = 0
    """Number of images rejected from `since` to now."""


class Monitor:
    """Monitor of new scores against calibration. It takes O(log n) time and 8 bytes per image.

    It never forgets a score. There are two kinds of evidence; each spends half of the false-alarm rate.

    Evidence of a shift: scores of accepted images do not rank evenly among the accepted calibration
    scores and each other. Rejected images do not count, so that defects, which are rejected, do not look
    like a shift. The threshold lies just above an order statistic, the k-th smallest calibration score.
    Given that score, the smaller ones and the new accepted ones are exchangeable. The k-th score itself
    is therefore left out.

    Evidence of more rejections: images reach the k-th smallest calibration score more often than
    calibration allows. Let n be the number of calibration scores, and r the number of images among the
    first t - 1 that reached it. The t-th image then reaches it with a probability of exactly
    (n - k + 1 + r) / (n + t). This is Pólya's urn; it holds for any distribution of scores. Images that
    reach the k-th score are the rejected ones, and the few accepted ones between it and the threshold,
    `RUNTIME_MARGIN` above it. No such probability is known for the threshold itself. The evidence uses
    nothing else of a score. Ranks of high scores would also answer to a small shift of all images,
    before the other evidence can tell the two apart.

    Only the second kind can see a change so large that hardly an image is accepted. The verdict is thus
    a shift of everything if more than half of the images since then are rejected (our choice). A process
    seldom fails in every second part, while light and focus fail in all.

    Equal scores are ordered at random, so that both kinds stay exact. The seed comes from the calibration
    scores. Every run thus gives the same result, and yet no two models share their luck.

    >>> from rcae.detector.calibration import calibrate
    >>> monitor = Monitor(calibrate([0.1 * n for n in range(20)], 0.0, 0.05))
    >>> monitor.observe(0.7).verdict.value
    'no drift'
    """

    def __init__(self, calibration: Calibration, false_alarm_rate: float = 0.01) -> None:
        """Start with no image seen.

        Args:
            calibration: Calibration of the detector that gives the scores, `Detector.calibration`.
            false_alarm_rate: Probability of ever reporting drift while nothing changes, between 0 and 1.

        Raises:
            UsageError: the rate is not between 0 and 1.
        """
        if not 0 < false_alarm_rate < 1:
            raise UsageError(
                f"A false-alarm rate of {false_alarm_rate} is not between 0 and 1; give one like 0.01."
            )
        self.alarm_evidence = math.log10(2 / false_alarm_rate)
        """Evidence of either kind that means drift, as a power of ten."""
        scores = list(calibration.all_scores)
        rank = threshold_rank(len(scores), calibration.false_alarm_rate, calibration.confidence)
        self._random = np.random.default_rng(np.array(scores).view(np.uint64))
        self._threshold = calibration.threshold
        self._limit = scores[rank - 1]
        below, equal = bisect_left(scores, self._limit), scores.count(self._limit)
        self._tied_below = self._random.beta(rank - below, below + equal - rank + 1)
        """Share of scores equal to the limit that are ordered below it."""
        self._accepted = Ranks(scores[: rank - 1], self._random)
        self._above, self._all = len(scores) - rank + 1, len(scores) + 1
        """Pólya's urn before the next score: the part that reaches the limit, and the whole."""
        self._images, self._rejected = 0, array("q")
        self._shift, self._rejections = Bets(len(SHIFTS)), Bets(len(DEFECT_SHARES))
        self._seen: int | None = None
        self._since: int | None = None
        self._shifted_by = 0.0

    def observe(self, anomaly_score: float) -> DriftState:
        """Add the next score to the evidence.

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

    def saved(self) -> bytes:
        """Return the state in NumPy's .npz format, 8 bytes per accepted score, for `restore`."""
        noted = (self._seen or 0, self._since or 0)
        arrays = {
            "counts": np.array([self._images, self._above, self._all, *noted]),
            "shifted_by": np.array(self._shifted_by),
            "rejected": np.array(self._rejected, dtype=np.int64),
            "scores": self._accepted.scores,
            "random": np.frombuffer(
                json.dumps(self._random.bit_generator.state).encode(), dtype=np.uint8
            ),
        }
        for kind, bets in self._bets.items():
            arrays |= {f"{kind}_{name}": values for name, values in bets.saved().items()}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    def restore(self, saved: bytes) -> None:
        """Go on from the state that `saved` returned, of a monitor with the same calibration and rate."""
        with np.load(io.BytesIO(saved), allow_pickle=False) as arrays:
            images, self._above, self._all, seen, since = map(int, arrays["counts"])
            self._images, self._seen, self._since = images, seen or None, since or None
            self._shifted_by = float(arrays["shifted_by"])
            self._rejected = array("q", arrays["rejected"].tobytes())
            self._accepted.restore(arrays["scores"])
            self._random.bit_generator.state = json.loads(arrays["random"].tobytes())
            for kind, bets in self._bets.items():
                names = [name for name in arrays.files if name.startswith(f"{kind}_")]
                bets.restore({name.removeprefix(f"{kind}_"): arrays[name] for name in names})

    @property
    def state(self) -> DriftState:
        """State after the last image."""
        return self._state()

    @property
    def _bets(self) -> dict[str, Bets]:
        return {"shift": self._shift, "rejections": self._rejections}

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
        """Note the image, the start and the direction when evidence of a kind first suffices."""
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
