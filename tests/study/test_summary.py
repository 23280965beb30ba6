import csv
import io
from statistics import mean, stdev

import pytest

from rcae.study import summary
from rcae.study.cell_result import CellResult
from tests.evaluation.made_up import made_up_result


def result(label, category, seed, **metrics):
    values = {
        "label": label,
        "data": "",
        "model": label,
        "seed": seed,
        "budget_s": None,
        "values": (),
        "data_sha256": "",
        "note": f"about {label}",
        "training_s": 10.0,
        "category": category,
        **dict.fromkeys(summary.ACCURACY, 0.5),
        "milliseconds_median": 20.0,
        "peak_memory_mib": 30,
        "threads": 1,
        "versions": {},
    }
    return made_up_result(CellResult, **{**values, **metrics})


RESULTS = [
    result("ours", "screw", 0, image_auroc=0.9, peak_memory_mib=40),
    result("ours", "screw", 1, image_auroc=0.7),
    result("ours", "tile", 0, image_auroc=0.6),
    result("ours", "tile", 1, image_auroc=0.8),
    result("peer", "screw", 0, image_auroc=0.5, pixel_auroc=None),
]


def test_a_category_has_the_mean_and_the_sample_deviation_over_seeds():
    value = summary.on_category(RESULTS, "ours", "screw", "image_auroc")
    assert (value.mean, value.deviation) == (pytest.approx(0.8), pytest.approx(stdev([0.9, 0.7])))
    assert str(value) == "0.800 ± 0.141"


def test_the_overall_spread_is_that_of_each_seeds_mean_over_categories():
    value = summary.over_categories(RESULTS, "ours", "image_auroc")
    per_seed = [mean([0.9, 0.6]), mean([0.7, 0.8])]
    assert value.mean == pytest.approx(mean(per_seed))
    assert value.deviation == pytest.approx(stdev(per_seed))


def test_a_seed_that_lacks_a_category_does_not_count_as_a_mean_over_all():
    assert summary.over_categories(RESULTS, "peer", "image_auroc") is None
    unfinished = [*RESULTS, result("ours", "screw", 2, image_auroc=0.1)]
    assert summary.over_categories(unfinished, "ours", "image_auroc").mean == pytest.approx(0.75)


def test_a_single_seed_has_no_spread_and_a_missing_metric_no_value():
    assert str(summary.on_category(RESULTS, "peer", "screw", "image_auroc")) == "0.500"
    assert summary.on_category(RESULTS, "peer", "screw", "pixel_auroc") is None
    assert summary.on_category(RESULTS, "peer", "tile", "image_auroc") is None


def test_the_worst_category_is_named_by_its_image_auroc():
    name, value = summary.worst_category(RESULTS, "ours")
    assert (name, value.mean) == ("tile", pytest.approx(0.7))


def test_the_cost_is_the_highest_memory_and_the_mean_time():
    assert summary.cost(RESULTS, "ours") == {
        "training_s": 10.0,
        "milliseconds_median": 20.0,
        "peak_memory_mib": 40,
    }


def test_the_csv_has_a_row_per_cell_at_full_precision():
    third = result("ours", "screw", 0, image_auroc=1 / 3)
    (row,) = csv.DictReader(io.StringIO(summary.to_csv([third])))
    assert float(row["image_auroc"]) == 1 / 3
    assert row["label"] == "ours"


def test_the_markdown_names_every_model_its_worst_category_and_its_note():
    text = summary.to_markdown(RESULTS)
    assert "| ours | 0.750 ± 0.000 |" in text
    assert "tile (0.700 ± 0.141)" in text
    assert "- peer: about peer" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") in (11, 4)


def test_what_each_property_alone_reaches_is_one_line_per_category_and_a_note_where_it_tells():
    alone = {"size": 0.5, "brightness": 0.95}
    counts = {"good_count": 10, "defective_count": 10}
    results = [
        result("ours", "screw", 0, give_aways=alone, **counts),
        result("peer", "screw", 0, give_aways=alone, **counts),
        result("ours", "tile", 0, give_aways={"size": 0.89}, **counts),
        result("ours", "nut", 0, give_aways={"size": 1.0}, good_count=9, defective_count=10),
        result("ours", "bolt", 0),
    ]
    assert summary.give_aways(results) == [
        ("screw", "size 0.500, brightness 0.950"),
        ("tile", "size 0.890"),
        ("nut", "size 1.000"),
        ("bolt", "not measured"),
    ]
    (note,) = [note for name, note in summary.notes(results) if name not in ("ours", "peer")]
    assert note.startswith("mean brightness alone has an image AUROC of 0.950. Image scores")


def test_a_cell_of_an_earlier_version_is_read_though_no_property_was_measured():
    plain = result("ours", "screw", 0).model_dump(exclude={"give_aways"}) | {"light": None}
    assert CellResult.model_validate(plain).give_aways is None
