import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rcae.base.errors import DataError, UsageError
from rcae.many.plan import Division, Model, Plan, divide, open_plan, read_plan

MODEL = Model("0" * 64, 1.5)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for number in range(25):
        (folder / f"{number:02d}.png").touch()
    return folder


def planned(output):
    plan = read_plan(output)
    return [location for part in range(plan.part_count) for location in plan.locations(part)]


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 400), st.sampled_from([1, 2, 99]))
def test_parts_hold_every_image_once_in_order(tmp_path_factory, count, scale):
    output = tmp_path_factory.mktemp("plan")
    (output / "plan").mkdir()
    names = [f"/new/{number}, ✓\n.png" for number in range(count * scale)]
    division = divide(map(Path, names), output / "plan" / "images.jsonl")
    plan = Plan(output, (), MODEL, division)
    parts = [[str(one) for one in plan.locations(part)] for part in range(plan.part_count)]
    assert [name for part in parts for name in part] == names
    assert [plan.first_number(part) for part in range(len(parts))] == [
        1 + sum(map(len, parts[:part])) for part in range(len(parts))
    ]
    assert [len(part) for part in parts] == [plan.size(part) for part in range(len(parts))]
    assert all(1 <= len(part) <= 1000 for part in parts)
    assert len({len(part) for part in parts[:-1]}) <= 1


def test_long_lists_have_large_parts_and_short_lists_small_ones(tmp_path):
    sizes = {
        count: divide(map(Path, map(str, range(count))), tmp_path / "list").images_per_part
        for count in (1, 2_500, 2_501, 30_000)
    }
    assert sizes == {1: 10, 2_500: 10, 2_501: 20, 30_000: 120}


def test_a_plan_is_kept_and_images_that_come_later_are_not_in_it(images, tmp_path, monkeypatch):
    first = open_plan(tmp_path / "out", [str(images)], MODEL)
    (images / "later.png").touch()
    monkeypatch.chdir(tmp_path)
    assert open_plan(tmp_path / "out", ["new"], MODEL) == first == read_plan(tmp_path / "out")
    assert planned(tmp_path / "out") == [images / f"{number:02d}.png" for number in range(25)]


def test_other_inputs_and_another_model_are_refused(images, tmp_path):
    open_plan(tmp_path / "out", [str(images)], MODEL)
    with pytest.raises(UsageError, match=r"begun with other inputs .*choose another -o"):
        open_plan(tmp_path / "out", [str(images / "01.png")], MODEL)
    for other in (Model("1" * 64, 1.5), Model("0" * 64, 2.5)):
        with pytest.raises(UsageError, match="begun with other model"):
            open_plan(tmp_path / "out", [str(images)], other)


def test_machines_that_plan_at_the_same_time_get_one_plan(images, tmp_path):
    together, plans = threading.Barrier(4), []

    def plan():
        together.wait()
        plans.append(open_plan(tmp_path / "out", [str(images)], MODEL))

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == 4
    assert len(set(plans)) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["plan"]


def test_a_list_without_images_leaves_no_plan_behind(images, tmp_path):
    with pytest.raises(UsageError, match="matches no image"):
        open_plan(tmp_path / "out", [str(images), "gone.png"], MODEL)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"inputs": [], "model": {}}', b"\xff"])
def test_a_damaged_plan_is_named(images, tmp_path, content):
    open_plan(tmp_path / "out", [str(images)], MODEL)
    (tmp_path / "out" / "plan" / "plan.json").write_bytes(content)
    with pytest.raises(DataError, match=r"plan\.json is damaged"):
        read_plan(tmp_path / "out")


def test_a_list_that_lost_lines_is_named(images, tmp_path):
    open_plan(tmp_path / "out", [str(images)], MODEL)
    file = tmp_path / "out" / "plan" / "images.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"images\.jsonl is damaged"):
        planned(tmp_path / "out")


def test_plans_of_different_lists_or_models_have_different_identities():
    def identity(sha256="a", per_part=10, model=MODEL):
        return Plan(Path("out"), (), model, Division(1, per_part, sha256, (0,))).identity

    others = [identity("b"), identity(per_part=20), identity(model=Model("1" * 64, 1.5))]
    assert len({identity(), *others}) == 4
    assert identity() == identity()
