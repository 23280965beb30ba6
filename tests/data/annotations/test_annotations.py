"""Masks from annotations, compared with the pixels that the shapes were made from."""

import json

import numpy as np
import pytest

from rcae.base.errors import DataError
from rcae.data.annotations.annotation import (
    entry_of,
    is_of_many_images,
    is_of_one_image,
    read_annotation,
)
from rcae.data.annotations.polygons import draw

SIZE_PX = (40, 60)


def box(left, top, right, bottom):
    """The pixels of a box, and its outline in x, y."""
    marked = np.zeros(SIZE_PX, bool)
    marked[top:bottom, left:right] = True
    return marked, [[left, top], [right, top], [right, bottom], [left, bottom]]


MARKED, CORNERS = box(10, 5, 30, 25)
OTHER, OTHER_CORNERS = box(40, 20, 50, 36)


def are_alike(mask, expected):
    """Equal but for pixels that the outline passes through."""
    assert mask.shape == expected.shape
    assert mask.dtype == bool
    rows, columns = np.nonzero(mask ^ expected)
    wrong = np.zeros(expected.shape, bool)
    wrong[rows, columns] = True
    padded = np.pad(expected, 1)
    near = np.zeros(expected.shape, bool)
    height, width = expected.shape
    for down in range(3):
        for right in range(3):
            near |= padded[down : down + height, right : right + width] != expected
    return not (wrong & ~near).any()


def labelme(*shapes, **more):
    return json.dumps({"version": "5.4.1", "flags": {}, "shapes": list(shapes), **more})


def shape(points, kind="polygon"):
    return {"label": "scratch", "points": points, "shape_type": kind}


def coco(*annotations, names=("a.png",)):
    images = [
        {"id": n, "file_name": name, "height": SIZE_PX[0], "width": SIZE_PX[1]}
        for n, name in enumerate(names)
    ]
    return json.dumps({"images": images, "annotations": list(annotations), "categories": []})


def flat(corners):
    return [float(number) for corner in corners for number in corner]


def yolo(*polygons):
    height, width = SIZE_PX
    lines = [
        " ".join(["0", *(f"{x / width:.6f} {y / height:.6f}" for x, y in corners)])
        for corners in polygons
    ]
    return "\n".join(lines) + "\n"


def read(tmp_path, name, text, image="a.png"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_annotation(path, tmp_path / image, SIZE_PX)


def test_a_filled_polygon_covers_the_pixels_inside_it():
    assert are_alike(draw([CORNERS], SIZE_PX), MARKED)
    assert not draw([], SIZE_PX).any()
    triangle = draw([[(0, 0), (60, 0), (0, 40)]], SIZE_PX)
    assert abs(triangle.mean() - 0.5) < 0.03


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", labelme(shape(CORNERS), shape(OTHER_CORNERS))),
        ("a.json", labelme(shape(CORNERS), shape([[40, 20], [50, 36]], "rectangle"))),
        ("a.txt", yolo(CORNERS, OTHER_CORNERS)),
        ("all.json", coco({"image_id": 0, "segmentation": [flat(CORNERS), flat(OTHER_CORNERS)]})),
        (
            "all.json",
            coco(
                {"image_id": 0, "segmentation": [flat(CORNERS)]},
                {"image_id": 0, "segmentation": [flat(OTHER_CORNERS)]},
            ),
        ),
    ],
    ids=["labelme", "rectangle", "yolo", "coco", "two annotations"],
)
def test_all_shapes_of_an_image_add_up(tmp_path, name, text):
    assert are_alike(read(tmp_path, name, text), MARKED | OTHER)


def test_a_circle_of_labelme_has_its_area(tmp_path):
    mask = read(tmp_path, "a.json", labelme(shape([[30, 20], [40, 20]], "circle")))
    assert np.pi * 9.5**2 < mask.sum() < np.pi * 11**2
    assert mask[20, 30]


def test_labelme_says_how_large_the_mask_is(tmp_path):
    text = labelme(shape(CORNERS), imageHeight=80, imageWidth=70)
    assert read(tmp_path, "a.json", text).shape == (80, 70)


def test_run_lengths_of_coco_go_down_the_columns(tmp_path):
    runs, value = [0], False
    for pixel in MARKED.ravel(order="F"):
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    text = coco({"image_id": 0, "segmentation": {"counts": runs, "size": list(SIZE_PX)}})
    assert np.array_equal(read(tmp_path, "all.json", text), MARKED)


@pytest.mark.parametrize(
    ("counts", "marked"),
    [
        ("e<d0d00000000000000000000000000000000000000[U1", MARKED),
        ("e<d0d00000000000000000000000000000000000000o<LUC00000000000000000l;", MARKED | OTHER),
        ("PPYo0", None),
    ],
)
def test_compressed_run_lengths_are_those_of_pycocotools(tmp_path, counts, marked):
    """The first two texts are what `pycocotools.mask.encode` gives for the masks."""
    text = coco({"image_id": 0, "segmentation": {"counts": counts, "size": list(SIZE_PX)}})
    if marked is None:
        with pytest.raises(DataError, match="cannot be read as the mask"):
            read(tmp_path, "all.json", text)
    else:
        assert np.array_equal(read(tmp_path, "all.json", text), marked)


def test_an_image_of_coco_is_found_by_its_folders_too(tmp_path):
    path = tmp_path / "all.json"
    path.write_text(
        coco(
            {"image_id": 0, "segmentation": [flat(CORNERS)]},
            {"image_id": 1, "segmentation": [flat(OTHER_CORNERS)]},
            names=("bent/0.png", "crack/0.png", "crack/1.png"),
        )
    )
    crack = tmp_path / "test" / "crack"
    assert are_alike(read_annotation(path, crack / "0.png", SIZE_PX), OTHER)
    assert entry_of(path, crack / "0.png") == "crack/0.png"
    assert entry_of(path, crack / "1.png") is None
    assert entry_of(path, crack / "2.png") is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", labelme(shape([[1, 1], [9, 9]], "line")), "a line with 2 points"),
        ("a.json", labelme({"label": "x"}), "'points' is missing"),
        ("a.json", '{"shapes": ', "cannot be read"),
        ("a.txt", "0 0.5 0.5 0.1 0.1\n", "line 1 is a box"),
        ("a.txt", "0 0.5 0.5 0.1 0.1 0.2\n", "5 numbers make no polygon"),
        ("all.json", coco({"image_id": 0, "bbox": [1, 2, 3, 4]}), "a box without a segmentation"),
        ("all.json", coco({"image_id": 0, "segmentation": [[1, 2]]}), "2 numbers make no polygon"),
        ("all.json", coco({"image_id": 0, "segmentation": {"counts": [3]}}), "'size' is missing"),
        (
            "all.json",
            coco({"image_id": 0, "segmentation": {"counts": [3], "size": [40, 60]}}),
            "read",
        ),
        ("all.json", coco(names=("b.png",)), "it has no such image"),
    ],
)
def test_annotations_that_are_no_areas_are_refused(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, name, text)
    assert name in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camera 3, gain 2",
        "exposure 0.5",
        '{"gain": 2}',
        "[1]",
        "null",
        "\ufffd",
        "0 640 480 12 9 8 7",
        "0 .5 .5 .1 .1",
    ],
)
def test_other_files_beside_images_are_no_annotations(tmp_path, text):
    for suffix in (".json", ".txt"):
        path = tmp_path / f"a{suffix}"
        path.write_text(text, encoding="utf-8")
        assert not is_of_many_images(path)
        assert not is_of_one_image(path)
    path.write_bytes(b"\xff\xfe\x00")
    assert not is_of_one_image(path)


def test_a_long_file_of_yolo_is_told_by_its_start(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(yolo(*[CORNERS] * 200))
    assert path.stat().st_size > 4096
    assert is_of_one_image(path)
