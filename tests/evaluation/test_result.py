"""One class for the result: what metrics.json holds to the byte, and which results there are."""

import json

import pytest
from pydantic import ValidationError

from rcae.base.storage import write_text
from rcae.evaluation.result import MASKS_DIVIDE_NOTHING, EvaluationResult
from tests.evaluation.made_up import RANKING, made_up_result, made_up_type

WITH_MASKS = dict(zip(RANKING, (1.0, 0.1 + 0.2, 1 / 3, 0.4, 0.5, 0.6, 0.7, 0.8), strict=True))
RESULT = made_up_result(
    **WITH_MASKS,
    category="größe ✓",
    threshold=-2.214272975921631,
    false_alarm_rate_promised=0.05,
    detection_rate_at_1_percent=None,
    peak_memory_mib=None,
    defect_types={"scratch": made_up_type(**WITH_MASKS)},
    undefined={"detection_rate_at_1_percent": "needs 99 calibration images"},
)
FILE = """{
  "category": "größe ✓",
  "image_auroc": 1.0,
  "image_ap": 0.30000000000000004,
  "image_f1_max": 0.3333333333333333,
  "pixel_auroc": 0.4,
  "pixel_ap": 0.5,
  "pixel_f1_max": 0.6,
  "aupro": 0.7,
  "aupro_5": 0.8,
  "image_count": 8,
  "good_count": 4,
  "defective_count": 4,
  "threshold": -2.214272975921631,
  "false_alarm_rate_promised": 0.05,
  "false_alarm_rate_seen": 0.25,
  "detection_rate": 0.75,
  "detection_rate_at_1_percent": null,
  "detection_rate_at_5_percent": 0.75,
  "milliseconds_median": 12.4,
  "milliseconds_p95": 45.6,
  "peak_memory_mib": null,
  "defect_types": {
    "scratch": {
      "image_auroc": 1.0,
      "image_ap": 0.30000000000000004,
      "image_f1_max": 0.3333333333333333,
      "pixel_auroc": 0.4,
      "pixel_ap": 0.5,
      "pixel_f1_max": 0.6,
      "aupro": 0.7,
      "aupro_5": 0.8,
      "image_count": 4,
      "detected_count": 3
    }
  },
  "undefined": {
    "detection_rate_at_1_percent": "needs 99 calibration images"
  },
  "test_images_known": 0
}"""


def test_the_file_has_these_keys_in_this_order_and_every_number_in_full():
    assert RESULT.to_json() == FILE


@pytest.mark.parametrize("result", [RESULT, made_up_result()])
def test_what_was_written_is_read_back_as_the_same_result(result):
    again = EvaluationResult.model_validate(json.loads(result.to_json()))
    assert again == result
    assert again.to_json() == result.to_json()


def test_a_name_that_is_no_text_is_written_and_read_back(tmp_path):
    name = b"ri\xdf".decode("utf-8", "surrogateescape")
    result = made_up_result(category=name, defect_types={name: made_up_type()})
    write_text(tmp_path / "metrics.json", result.to_json())
    text = (tmp_path / "metrics.json").read_bytes().decode("utf-8", "surrogateescape")
    assert EvaluationResult.model_validate(json.loads(text)) == result


def test_keys_of_later_versions_are_passed_over_and_a_missing_one_is_named():
    plain = json.loads(FILE)
    assert EvaluationResult.model_validate(plain | {"news": 1}) == RESULT
    with pytest.raises(ValidationError, match=r"image_f1_max\n  Field required"):
        EvaluationResult.model_validate({k: v for k, v in plain.items() if k != "image_f1_max"})


def test_a_file_that_does_not_tell_of_known_test_images_has_none():
    plain = json.loads(FILE)
    del plain["test_images_known"]
    assert EvaluationResult.model_validate(plain) == RESULT


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["image_auroc", "threshold", "milliseconds_median"])
def test_a_figure_that_is_not_finite_is_no_result(name, value):
    with pytest.raises(ValidationError, match="finite number"):
        made_up_result(**{name: value})


def test_a_defect_types_figure_that_is_not_finite_is_no_result():
    with pytest.raises(ValidationError, match="finite number"):
        made_up_type(aupro=float("nan"))


@pytest.mark.parametrize(
    ("auroc", "reasons"), [(None, {}), (0.5, {"image_auroc": "but why"}), (0.5, {"typo": "why"})]
)
def test_a_metric_is_a_number_or_has_a_reason(auroc, reasons):
    plain = json.loads(FILE) | {"image_auroc": auroc}
    plain["undefined"] |= reasons
    with pytest.raises(ValidationError, match="a metric is a number or has a reason"):
        EvaluationResult.model_validate(plain)


def test_memory_that_the_system_does_not_tell_needs_no_reason():
    assert made_up_result(peak_memory_mib=None).peak_memory_mib is None


def test_a_type_that_alone_lacks_a_metric_has_masks_that_divide_nothing():
    result = made_up_result(**WITH_MASKS, defect_types={"all": made_up_type()})
    assert result.why_undefined("aupro") == MASKS_DIVIDE_NOTHING


def test_counts_at_the_threshold_are_those_of_the_images():
    types = {"a": made_up_type(5, 4), "b": made_up_type(3, 2)}
    result = made_up_result(defect_types=types, good_count=10_000, false_alarm_rate_seen=0.9999)
    assert (result.detected_count, result.false_alarm_count) == (6, 9_999)
    inexact = made_up_result(good_count=100, false_alarm_rate_seen=29 / 100)  # 28.999…
    assert inexact.false_alarm_count == 29
    alone = made_up_result(good_count=0, false_alarm_rate_seen=None, defect_types={})
    assert (alone.detected_count, alone.false_alarm_count) == (0, 0)
