import pytest
import tomli_w

from rcae.base.errors import UsageError
from rcae.base.settings import PRESETS, load_settings, to_plain
from rcae.base.storage import write_text
from rcae.data.good_images import list_good_images, to_csv
from rcae.study import cells, reproduction
from rcae.study.ablations import ABLATIONS, Ablation, Variant
from tests.study.test_summary import result

RISING = Ablation(
    "toy",
    "Does it rise?",
    (Variant("low", (), 80.0, 90.0), Variant("high", (), 90.0, None)),
)


def results(low, high):
    return [
        result("low", "screw", 0, image_auroc=low, pixel_auroc=0.5),
        result("high", "screw", 0, image_auroc=high, pixel_auroc=0.6),
    ]


def test_the_table_has_the_papers_numbers_beside_ours_in_percent():
    table = reproduction._table(RISING, results(0.7, 0.8))
    assert "| low | 80.0 | 90.0 | 70.0 | 50.0 | 70.0 / 50.0 |" in table
    assert "| high | 90.0 | - | 80.0 | 60.0 | 80.0 / 60.0 |" in table


def test_the_verdict_says_whether_the_papers_order_holds():
    holds = reproduction._table(RISING, results(0.7, 0.8))
    assert "image AUROC: the paper's order holds; pixel AUROC: the paper's order holds." in holds
    fails = reproduction._table(RISING, results(0.8, 0.7))
    assert "image AUROC: the paper's order does not hold; pixel" in fails
    ties = reproduction._table(RISING, results(0.7, 0.7))
    assert "image AUROC: the paper's order does not hold" in ties


def test_the_chart_draws_the_paper_and_ours():
    png = reproduction._chart(RISING, results(0.7, 0.8))
    assert png.startswith(b"\x89PNG")


def test_rows_of_one_label_are_one_model_and_every_other_row_is_another():
    """What lets the tables share their models: the label names the folder."""
    settings = {}
    for ablation in ABLATIONS:
        for variant in ablation.variants:
            changed = load_settings("quick", values=variant.changes("quick"))
            assert settings.setdefault(variant.label, changed) == changed
    assert len(set(map(repr, settings.values()))) == len(settings) == 18


def test_an_edited_settings_file_is_not_mixed_with_finished_cells(parts, tmp_path, monkeypatch):
    """Else the difference between two configurations would stand in the table as the spread over seeds."""

    def fake(folder):
        request = folder.read_request()
        write_text(folder.result, result(request.label, "parts", request.seed).to_json())

    def run(batch_size, *seeds):
        file.write_text(f"[training]\nbatch_size = {batch_size}\n")
        reproduction.reproduce("depth", [parts], "quick", file, seeds, None, tmp_path / "out")

    monkeypatch.setattr(cells, "_run", fake)
    file = tmp_path / "tiny.toml"
    run(2, 0)
    run(2, 0, 1)
    with pytest.raises(UsageError, match=r"training\.batch_size was 2 and is 4; give the same"):
        run(4, 0, 1, 2)


def test_the_table_of_data_shares_says_how_many_images_each_row_was_trained_on(
    parts, tmp_path, monkeypatch
):
    """A tenth, a quarter and a half of 12 are the same 8 images."""

    def fake(folder):
        request = folder.read_request()
        settings = load_settings("quick", values=request.values)
        images = sorted((parts / "train" / "good").iterdir())
        share = settings.training.data_share
        listed = list_good_images(images, parts, settings.calibration, request.seed, share)
        write_text(folder.training / "data.csv", to_csv(listed))
        write_text(folder.result, result(request.label, "parts", request.seed).to_json())

    monkeypatch.setattr(cells, "_run", fake)
    file = tmp_path / "tiny.toml"
    file.write_text("[calibration]\nminimum_images = 4\n")
    output = tmp_path / "out"
    text = reproduction.reproduce("data-share", [parts], "quick", file, [0, 1], None, output)
    assert "never fewer than 8:\n\n|  | parts |\n" in text
    counts = {"full model": 12, "plain autoencoder": 12}
    counts |= {f"{row}, {percent} % of the data": 8 for row in counts for percent in (10, 25, 50)}
    for label, count in counts.items():
        assert f"\n| {label} | {count} |\n" in text
    assert (output / "data-share.md").read_text() == text


def test_the_plain_autoencoder_follows_a_settings_file(tmp_path):
    file = tmp_path / "wide.toml"
    file.write_text("[model]\ncarried_channels = 32\n")
    plain = ABLATIONS[0].variants[0]
    changed = load_settings(
        "quick", values=plain.changes("quick", [*reproduction._values_in(file)])
    )
    assert changed.model.reconstruction_widths == (32, 64, 96, 128, 128)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_settings_file_means_the_same_as_the_values_that_a_cell_holds(preset, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(tomli_w.dumps(to_plain(load_settings(preset))))
    assert load_settings("paper", values=[*reproduction._values_in(file)]) == load_settings(preset)
