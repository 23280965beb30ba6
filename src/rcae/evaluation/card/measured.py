"""What an evaluation says on a card: tables with intervals, and the limits it showed."""

from collections.abc import Iterator

from rcae.base.text import printable
from rcae.drawing.page import number, percent
from rcae.evaluation.card.past_evaluation import PastEvaluation
from rcae.evaluation.card.section import Section, Table, interval_text, share_text, value_text
from rcae.evaluation.result import SUMMARY

NOT_MEASURED = Section(
    "Measured",
    text=(
        "This model was not evaluated. 'rcae evaluate RUN DATA' does it, given test images, good and "
        "defective, that it was not trained on; then run 'rcae card RUN' again.",
    ),
)


def measured_section(evaluation: PastEvaluation) -> Section:
    """What the evaluation found, with 95 % intervals."""
    metrics, found, alarms = evaluation.metrics, evaluation.found(), evaluation.false_alarms
    rows = [
        ("Defective images found", share_text(found), interval_text(found.interval, percent)),
        (
            "False alarms on good images",
            share_text(alarms),
            interval_text(alarms.interval, percent),
        ),
    ]
    intervals = {"image_auroc": evaluation.auroc_interval()}
    for name, (title, meaning) in SUMMARY.items():
        value = getattr(metrics, name)
        seen = f"not defined: {metrics.undefined[name]}" if value is None else number(value)
        rows.append((f"{title}: {meaning}", seen, interval_text(intervals.get(name), number)))
    return Section(
        "Measured",
        text=(
            "Found and false alarms are at the model's threshold. An interval holds the true value, "
            "for images like those tested, in 95 % of cases: of an AUROC after DeLong et al. (1988), "
            "of a share after Clopper and Pearson (1934).",
        ),
        facts={
            "Test images": f"{alarms.total} good, {found.total} defective ones of "
            f"{printable(metrics.category)}",
            "Time per image": f"median {metrics.milliseconds_median:.0f} ms, 95 % below "
            f"{metrics.milliseconds_p95:.0f} ms, on the machine of the evaluation",
        },
        tables=(
            Table(("", "Measured", "95 % interval"), tuple(rows)),
            *_by_defect_type(evaluation),
        ),
    )


def _by_defect_type(evaluation: PastEvaluation) -> Iterator[Table]:
    """One table, if there are defective test images."""
    rows = []
    for name in evaluation.metrics.worst_first:
        ranking, found = evaluation.metrics.defect_types[name], evaluation.found(name)
        rows.append(
            (
                printable(name),
                value_text(ranking.image_auroc),
                interval_text(evaluation.auroc_interval(name), number),
                share_text(found),
                interval_text(found.interval, percent),
                value_text(ranking.pixel_auroc),
                value_text(ranking.aupro),
            )
        )
    columns = ("Defect type, worst first", "Image AUROC", "95 % interval", "Found")
    if rows:
        yield Table((*columns, "95 % interval", "Pixel AUROC", "AUPRO"), tuple(rows))


def limits_measured(evaluation: PastEvaluation, promised: float) -> Iterator[str]:
    """What the test images showed that a user of this very model must know."""
    known = evaluation.metrics.test_images_known
    if known:
        yield (
            f"The model was trained or calibrated on {known} of the {evaluation.metrics.image_count} test "
            "images: what was measured looks better than it is."
        )
    alarms = evaluation.false_alarms
    if alarms.interval is not None and alarms.interval.low > promised:
        yield (
            f"Of the good test images {share_text(alarms)}, raised a false alarm; 95 % interval "
            f"{interval_text(alarms.interval, percent)}. That is more than the {percent(promised)} "
            "promised: the promise does not hold for images like these."
        )
    for name in evaluation.metrics.worst_first:
        interval = evaluation.auroc_interval(name)
        if interval is not None and interval.low <= 0.5:
            auroc = value_text(evaluation.metrics.defect_types[name].image_auroc)
            yield (
                f"Defects of the type {printable(name)} may be told from good images no better than by "
                f"chance (0.5): image AUROC {auroc}, 95 % interval {interval_text(interval, number)}."
            )
    if evaluation.metrics.pixel_auroc is None:
        yield "Where it sees defects was not measured: the test images have no masks."
