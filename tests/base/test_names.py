import pytest

from rcae.base.errors import RcaeError
from rcae.base.names import meant
from rcae.base.settings import load_settings
from rcae.data.layouts.category import open_category


def test_a_known_name_and_one_like_no_other_get_no_question():
    assert meant("Quick", ["quick", "paper"]) == ""
    assert meant("nonsense", ["quick", "paper"]) == ""


@pytest.mark.parametrize(
    ("preset", "values", "question"),
    [
        ("quik", (), "Is 'quik' meant to be 'quick'?"),
        ("quick", ["modle.x=3"], "Is 'modle' meant to be 'model'?"),
        (
            "quick",
            ["model.recursion_dept=3"],
            "Is 'model.recursion_dept' meant to be 'model.recursion_depth'?",
        ),
    ],
)
def test_a_wrong_preset_or_setting_is_asked_about(preset, values, question):
    with pytest.raises(RcaeError) as refusal:
        load_settings(preset, values=values)
    assert str(refusal.value).endswith(question)


def test_a_folder_nearly_named_as_in_a_layout_is_asked_about(tmp_path):
    (tmp_path / "godo" / "a").mkdir(parents=True)
    with pytest.raises(RcaeError, match="Is 'godo' meant to be 'good'"):
        open_category(tmp_path)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("image_pth,label\na.png,good\n", "Is 'image_pth' meant to be 'image_path'?"),
        ("path,label,split\na.png,good,trian\n", "Is 'trian' meant to be 'train'?"),
    ],
)
def test_a_wrong_word_in_a_list_is_asked_about(tmp_path, text, question):
    (tmp_path / "list.csv").write_text(text)
    (tmp_path / "a.png").touch()
    with pytest.raises(RcaeError) as refusal:
        open_category(tmp_path / "list.csv")
    assert str(refusal.value).endswith(question)
