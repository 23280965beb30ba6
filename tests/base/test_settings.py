import tomllib

import pytest
import tomli_w

from rcae.base.errors import SettingsError
from rcae.base.settings import PRESETS, load_settings, to_plain, validate


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_survives_a_round_trip_through_toml(preset):
    settings = load_settings(preset)
    again = validate(tomllib.loads(tomli_w.dumps(to_plain(settings))), source="round trip")
    assert again == settings


def test_the_paper_preset_is_the_papers_setting():
    settings = load_settings("paper")
    training = settings.training
    assert settings.image.size_px == 1024
    assert settings.model.recursion_depth == 5
    assert [training.reconstruction.epochs, training.detail.epochs, training.detection.epochs] == [
        1500,
        400,
        300,
    ]
    assert training.learning_rate == 1e-4
    assert training.schedule == "constant"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("model.recursion_depth=9", "'model.recursion_depth'.*less than or equal to 8.*received 9"),
        ("model.recursion_depth=deep", "'model.recursion_depth'.*integer.*received 'deep'"),
        (
            "model.depth=3",
            "'model.depth' is not a setting; the keys here are.*model.recursion_depth",
        ),
        (
            "model.floats=3",
            "'model.floats' is not a setting; the keys here are.*model.recursion_depth",
        ),
        ("modle.x=3", "'modle' is not a setting; the keys here are seed, image, model"),
        ("model.detection_steps=[1, 7]", r"\[1, 7\].*1 to recursion_depth = 5"),
        ("model.detection_steps=[3, 1]", "rising"),
        ("model.smoothing_px=4", "must be odd"),
        ("training.crop_px=100", "crop_px = 100.*multiple of fold \\* 2\\^recursion_depth = 64"),
        ("training.precision=fp16", "'fp32' or 'bf16', received 'fp16'"),
        ("training.gradient_clip=0", "'training.gradient_clip': .*greater than 0, received 0"),
        ("image.resize=stretch", "'keep_aspect' or 'squash', received 'stretch'"),
        ("nonsense", "'nonsense' is not a setting; write SECTION.KEY=VALUE"),
        ("training.detail={steps = 5, epochs = 5, time_share = 0.1}", "either epochs or steps"),
    ],
)
def test_a_wrong_value_is_explained(value, message):
    with pytest.raises(SettingsError, match=message):
        load_settings("quick", values=[value])


def test_an_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(
        SettingsError, match="'fast' does not exist; choose one of quick, standard, scratch, paper"
    ):
        load_settings("fast")


def test_scratch_is_quick_without_anything_pretrained():
    assert load_settings("quick").model.uses_pretrained
    assert load_settings("scratch") == load_settings("quick", values=["model.patch_memory=false"])


def test_a_file_changes_the_preset_and_a_value_changes_the_file(tmp_path):
    file = tmp_path / "change.toml"
    file.write_text("[model]\nrecursion_depth = 3\nsmoothing_px = 7\n")
    settings = load_settings("quick", file=file, values=["model.smoothing_px=9"], seed=4)
    assert (settings.model.recursion_depth, settings.model.smoothing_px, settings.seed) == (3, 9, 4)
    assert settings.model.carried_channels == load_settings("quick").model.carried_channels


@pytest.mark.parametrize("preset", PRESETS)
def test_the_settings_file_of_a_run_repeats_it_whatever_preset_it_is_given_to(preset, tmp_path):
    settings = load_settings(preset)
    file = tmp_path / "settings.toml"
    file.write_text(tomli_w.dumps(to_plain(settings)))
    assert all(load_settings(other, file=file) == settings for other in PRESETS)


def test_steps_given_for_a_stage_replace_the_presets_epochs():
    stage = load_settings("paper", values=["training.detail.steps=5"]).training.detail
    assert (stage.steps, stage.epochs) == (5, None)


@pytest.mark.parametrize("text", ["[model", "\xff"])
def test_a_file_that_is_no_toml_is_named(tmp_path, text):
    file = tmp_path / "broken.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"broken\.toml is not readable TOML"):
        load_settings("quick", file=file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml does not exist"):
        load_settings("quick", file=tmp_path / "gone.toml")


@pytest.mark.parametrize(
    "ablation",
    [
        "model.recursion_depth=1",
        "model.share_weights=false",
        "model.skip_connections=false",
        "model.detail_network=false",
        "model.detection_network=false",
        "model.detection_steps=[5]",
        "model.detection_steps=[1, 3, 5]",
    ],
)
@pytest.mark.parametrize("preset", PRESETS)
def test_each_ablation_of_the_paper_is_one_setting_away(preset, ablation):
    assert load_settings(preset, values=[ablation]) != load_settings(preset)
