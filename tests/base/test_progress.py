from types import SimpleNamespace

from rcae.base.progress import StageProgress, shown


def test_a_bar_appears_with_its_first_item(capsys):
    bar = shown([1, 2], "counting")
    assert capsys.readouterr().err == ""
    assert list(bar) == [1, 2]
    assert "counting" in capsys.readouterr().err


def test_time_left_is_what_this_stage_takes_for_all_steps_to_come(capsys, monkeypatch):
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr("rcae.base.progress.time.perf_counter", lambda: clock.now_s)
    progress = StageProgress("stage 1/3", first_step=2, steps=10, batch_size=4, later_steps=5.5)
    for _ in range(4):
        clock.now_s += 2.0
        progress.step(loss=0.5)
    progress.close()
    # 4 of this stage's own steps are left, and 5.5 for the others, of 2 s each.
    assert "step 6/10 , loss 0.5000, 2.0 images/s, 00:19 left" in capsys.readouterr().err
