"""One detection, told alike: as a recorded inspection, as a message, and as a row of predict."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from rcae.data.photograph import Photograph
from rcae.detector.calibration import Calibration
from rcae.detector.detection import Detection
from rcae.detector.predictions import Prediction
from rcae.line.outputs.output import message
from rcae.line.record.inspection import Inspection

CALIBRATION = Calibration(
    scores=(0.25, 0.5, 1.0), typical_value=0.1, false_alarm_rate=0.25, threshold=1.5
)
ORIGIN = {
    "source": "größe ✓.png",
    "image_sha256": "a",
    "model": "grey",
    "model_sha256": "b",
    "executed_sha256": "c",
}


@pytest.fixture(params=[0.5, 2.0], ids=["good", "defective"])
def detection(request):
    values = np.zeros((3, 5), np.float32)
    values[1, 2:4] = request.param
    return Detection.of(
        values, Photograph(np.zeros((3, 5, 3), np.float32)), CALIBRATION, started_at=0.0
    )


def test_a_detection_is_told_alike_as_an_inspection_and_as_a_prediction(detection):
    inspection = Inspection.of(detection, **ORIGIN)
    row = Prediction.of(Path(inspection.source), detection)
    for name in ("anomaly_score", "p_value", "threshold", "regions"):
        assert getattr(inspection, name) == getattr(row, name) == getattr(detection, name)
    assert inspection.is_defective == (row.decision == "defective") == detection.is_defective
    assert row.milliseconds == round(1000 * inspection.duration_s, 3)
    assert (inspection.width_px, inspection.height_px) == (5, 3)


def test_every_inspection_has_an_id_of_its_own_and_is_not_yet_recorded(detection):
    first, second = (Inspection.of(detection, **ORIGIN) for _ in range(2))
    assert first.id != second.id
    assert (first.number, first.reviews) == (0, ())


def test_a_message_has_these_keys_in_this_order_and_every_number_in_full():
    detection = Detection(
        anomaly_score=0.1 + 0.2,
        p_value=0.25,
        threshold=1.5,
        typical_value=0.5,
        anomaly_map=np.zeros((3, 5), np.float32),
        working_map=np.zeros((3, 5), np.float32),
        regions=(),
        duration_s=0.125,
        reader=lambda: np.zeros((3, 5, 3), np.float32),
    )
    told = Inspection.of(detection, **ORIGIN)
    told = replace(told, id="c", time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert message(told).decode() == (
        '{"source":"größe ✓.png","image_sha256":"a","width_px":5,"height_px":3,"model":"grey",'
        '"model_sha256":"b","anomaly_score":0.30000000000000004,"p_value":0.25,"threshold":1.5,'
        '"is_defective":false,"regions":[],"duration_s":0.125,"executed_sha256":"c",'
        '"remark":null,"time":"2026-01-02T03:04:05Z",'
        '"id":"c","number":0,"reviews":[]}'
    )
