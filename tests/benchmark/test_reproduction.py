from rcae.benchmark import reproduction
from rcae.benchmark.ablations import ABLATIONS, Ablation, Variant
from rcae.settings import load_settings
from tests.benchmark.test_summary import result

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
            changed = load_settings("quick", values=variant.changes("quick", None))
            assert settings.setdefault(variant.label, changed) == changed
    assert len(set(map(repr, settings.values()))) == len(settings) == 18


def test_the_plain_autoencoder_follows_a_settings_file(tmp_path):
    file = tmp_path / "wide.toml"
    file.write_text("[model]\ncarried_channels = 32\n")
    plain = ABLATIONS[0].variants[0]
    changed = load_settings("quick", file=file, values=plain.changes("quick", file))
    assert changed.model.reconstruction_widths == (32, 64, 96, 128, 128)
