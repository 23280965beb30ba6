from rcae.evaluation.result import (
    MAY_BE_UNDEFINED,
    NO_MASKS,
    DefectTypeResult,
    EvaluationResult,
)

RANKING = {
    "image_auroc": 0.75,
    "image_ap": 0.625,
    "image_f1_max": 0.5,
    **dict.fromkeys(("pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "aupro_5")),
}
"""Without masks."""


def made_up_type(image_count=4, detected_count=3, **changes):
    """A defect type's result, made up."""
    return DefectTypeResult(
        **{**RANKING, "image_count": image_count, "detected_count": detected_count, **changes}
    )


def made_up_result(kind=EvaluationResult, undefined=(), **changes):
    """A result, made up; what is None and has no reason yet gets one."""
    values = {
        "category": "parts",
        **RANKING,
        "image_count": 8,
        "good_count": 4,
        "defective_count": 4,
        "threshold": 1.0,
        "false_alarm_rate_promised": 0.2,
        "false_alarm_rate_seen": 0.25,
        "detection_rate": 0.75,
        "detection_rate_at_1_percent": 0.5,
        "detection_rate_at_5_percent": 0.75,
        "milliseconds_median": 12.4,
        "milliseconds_p95": 45.6,
        "peak_memory_mib": 321,
        "defect_types": {"scratch": made_up_type()},
        **changes,
    }
    missing = [name for name in MAY_BE_UNDEFINED if values[name] is None]
    return kind(**values, undefined=dict.fromkeys(missing, NO_MASKS) | dict(undefined))
