from rcae.base.settings import load_settings
from rcae.training.plan import steps_from_budget, steps_from_settings, with_steps


def test_epochs_become_steps_that_show_every_image_that_often():
    settings = load_settings("paper")
    assert steps_from_settings(settings, 209) == {
        "reconstruction": 78375,  # 1500 * 209 / 4
        "detail": 20900,
        "detection": 15675,
    }


def test_a_left_out_stage_gives_its_time_to_the_others():
    settings = load_settings("quick")
    steps = steps_from_budget(settings, {"reconstruction": 1.0, "detection": 1.0}, 100.0, 10.0)
    shares = settings.training.reconstruction.time_share, settings.training.detection.time_share
    assert steps == {
        name: int(90 * share / sum(shares)) for name, share in zip(steps, shares, strict=True)
    }
    assert with_steps(settings, steps).training.detection.steps == steps["detection"]
