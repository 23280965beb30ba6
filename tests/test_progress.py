from rcae.progress import shown


def test_a_bar_appears_with_its_first_item(capsys):
    bar = shown([1, 2], "counting")
    assert capsys.readouterr().err == ""
    assert list(bar) == [1, 2]
    assert "counting" in capsys.readouterr().err
