import errno
import os
from pathlib import Path

import pytest

from rcae.base.errors import DataError, UsageError
from rcae.data.folders import expand_paths, left_out_notes, list_images


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Files told by name alone; the working folder is their parent."""
    names = (
        "new/b.png",
        "new/a.JPG",
        "new/ü 螺.tiff",
        "new/notes.txt",
        "new/.hidden.png",
        "new/Thumbs.db",
        "new/deeper/c.bmp",
        "new/.cache/d.png",
        "text only/readme.txt",
        "e.webp",
        "[1].png",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(paths):
    return [path.as_posix() for path in paths]


def test_images_of_a_folder_are_sorted_and_others_left_out(tree):
    (tree / "new" / "folder.png").mkdir()
    assert names(list_images(Path("new"))) == ["new/a.JPG", "new/b.png", "new/ü 螺.tiff"]


def test_the_order_does_not_depend_on_the_file_system(tree, list_backwards):
    listed = list_images(tree / "new")
    list_backwards()
    assert list_images(tree / "new") == listed


def test_a_broken_link_is_listed_so_that_opening_it_names_it(tree):
    (tree / "text only" / "broken.png").symlink_to("gone.png")
    (tree / "text only" / "loop.png").symlink_to("loop.png")
    assert [path.name for path in list_images(tree / "text only")] == ["broken.png", "loop.png"]


def test_an_unreadable_folder_is_named(tree, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"new cannot be listed \(Permission denied\)"):
        list_images(tree / "new")


def test_a_folder_that_is_a_link_to_itself_is_named(tree):
    (tree / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"loop cannot be listed \(Too many levels"):
        list_images(tree / "loop")


def test_a_folder_gives_all_images_below_it_sorted(tree):
    expected = ["new/a.JPG", "new/b.png", "new/deeper/c.bmp", "new/ü 螺.tiff"]
    assert names(expand_paths(["new"])) == expected


def test_a_file_named_outright_is_kept_whatever_its_suffix(tree):
    assert names(expand_paths(["e.webp", "new/notes.txt"])) == ["e.webp", "new/notes.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("new/*", ["new/a.JPG", "new/b.png", "new/deeper/c.bmp", "new/ü 螺.tiff"]),
        ("new/*.png", ["new/b.png"]),
        ("n*/[ab].*", ["new/a.JPG", "new/b.png"]),
        ("**/*.bmp", ["new/deeper/c.bmp"]),
        ("**/*.png", ["[1].png", "new/b.png"]),
        ("new/.cache/*.png", ["new/.cache/d.png"]),
        ("[1].png", ["[1].png"]),
    ],
)
def test_a_pattern_gives_the_images_it_matches_sorted(tree, pattern, expected):
    assert names(expand_paths([pattern])) == expected
    assert expand_paths([str(tree / pattern)]) == [tree / name for name in expected]


def test_duplicates_are_removed_and_the_order_given_is_kept(tree):
    given = ["new/b.png", "new", "./new/b.png", str(tree / "new" / "a.JPG")]
    expected = ["new/b.png", "new/a.JPG", "new/deeper/c.bmp", "new/ü 螺.tiff"]
    assert names(expand_paths(given)) == expected


def test_links_to_folders_are_followed_but_loops_end(tree):
    (tree / "linked").mkdir()
    (tree / "linked" / "f.png").touch()
    (tree / "new" / "other").symlink_to(tree / "linked")
    for name in ("again", "and again"):
        (tree / "new" / name).symlink_to(tree / "new")
    expected = ["new/a.JPG", "new/b.png", "new/deeper/c.bmp", "new/other/f.png", "new/ü 螺.tiff"]
    assert names(expand_paths(["new"])) == expected
    assert names(expand_paths(["**/*.bmp"])) == ["new/deeper/c.bmp"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gone.png", "gone.png does not exist and matches no image"),
        ("new/*.gif", r"new/\*\.gif does not exist and matches no image"),
        ("text only/*", "does not exist and matches no image"),
        ("text only", "text only holds no image"),
        ("new/**x.png", r"is not a pattern|does not exist and matches"),
    ],
)
def test_a_path_that_gives_no_image_is_named(tree, text, reason):
    with pytest.raises(UsageError, match=reason):
        expand_paths(["new", text])


def test_a_path_in_a_folder_that_cannot_be_entered_is_named(tree, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(DataError, match=r"new/a\.JPG cannot be listed \(Permission denied\)"):
        expand_paths(["new/a.JPG"])


def test_an_unreadable_folder_below_is_named_and_not_skipped(tree, monkeypatch):
    real_scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "deeper":
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return real_scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"deeper cannot be listed"):
        expand_paths(["new"])


def test_files_that_are_left_out_of_folders_are_counted_by_kind(make_files):
    root = make_files("new", "a.png", "b/c.GIF", "b/d.gif", "list", ".hidden/e.gif", "f.webp")
    (note,) = left_out_notes([str(root), str(root / "a.png"), str(root / "*.gif")])
    assert note.endswith("no image is read from them: 2 .gif, 1 list.")


@pytest.mark.parametrize("name", ["@eaDir", "$RECYCLE.BIN", "lost+found", "__MACOSX"])
def test_folders_that_a_system_makes_for_itself_are_left_out(make_files, name):
    root = make_files("new", "a.png", f"{name}/a.png/SYNOPHOTO_THUMB_M.jpg", f"b/{name}/c.png")
    assert [path.name for path in expand_paths([str(root)])] == ["a.png"]
    assert left_out_notes([str(root)]) == []
