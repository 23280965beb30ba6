"""Summary of a period's inspections by model, in one pass and 8 bytes per inspection."""

import heapq
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from rcae.line.record.inspection import Inspection

WORST = 12
"""Number of rejected images with the highest scores that are kept for each model."""


@dataclass
class Counts:
    """Counts of images of one model; the last review of an image counts."""

    rejected: int = 0
    accepted: int = 0
    confirmed_defects: int = 0
    """Rejected images that people reviewed as defective."""
    false_alarms: int = 0
    """Rejected images that people reviewed as good."""
    missed_defects: int = 0
    """Accepted images that people reviewed as defective."""
    confirmed_good: int = 0
    """Accepted images that people reviewed as good."""

    @property
    def images(self) -> int:
        """Number of all images."""
        return self.rejected + self.accepted

    def add(self, inspection: Inspection) -> None:
        """Count one more inspection."""
        said = inspection.reviews[-1].verdict if inspection.reviews else None
        if inspection.is_defective:
            self.rejected += 1
            self.confirmed_defects += said == "defect"
            self.false_alarms += said == "good"
        else:
            self.accepted += 1
            self.missed_defects += said == "defect"
            self.confirmed_good += said == "good"


class ModelKey(NamedTuple):
    """Name and weights of a model; scores of other weights have another unit."""

    name: str
    sha256: str


@dataclass
class ModelSummary:
    """Summary of the inspections of one model."""

    model: ModelKey
    total: Counts = field(default_factory=Counts)
    days: dict[date, Counts] = field(default_factory=lambda: defaultdict(Counts))
    """Counts per day in the local time zone; days without images are left out."""
    accepted_scores: "array[float]" = field(default_factory=lambda: array("d"))
    rejected_scores: "array[float]" = field(default_factory=lambda: array("d"))
    thresholds: dict[float, datetime] = field(default_factory=dict)
    """Each threshold that decided, with the time of its first decision, in that order."""
    threshold: float = 0.0
    """Threshold of the last decision."""
    _worst: list[tuple[float, int, Inspection]] = field(default_factory=list)

    @property
    def worst(self) -> list[Inspection]:
        """Rejected images with the highest scores, the highest first."""
        return [inspection for _, _, inspection in sorted(self._worst, reverse=True)]

    def add(self, inspection: Inspection) -> None:
        """Add the next inspection."""
        self.total.add(inspection)
        self.days[inspection.time.astimezone().date()].add(inspection)
        self.thresholds.setdefault(inspection.threshold, inspection.time)
        self.threshold = inspection.threshold
        if not inspection.is_defective:
            self.accepted_scores.append(inspection.anomaly_score)
            return
        self.rejected_scores.append(inspection.anomaly_score)
        heapq.heappush(self._worst, (inspection.anomaly_score, inspection.number, inspection))
        if len(self._worst) > WORST:
            heapq.heappop(self._worst)


def summarise(inspections: Iterable[Inspection]) -> list[ModelSummary]:
    """Summarise each model, in the order of first appearance."""
    found: dict[ModelKey, ModelSummary] = {}
    for inspection in inspections:
        model = ModelKey(inspection.model, inspection.model_sha256)
        found.setdefault(model, ModelSummary(model)).add(inspection)
    return list(found.values())
