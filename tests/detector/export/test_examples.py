import re
import shutil
import subprocess
from pathlib import Path

import onnxruntime
import pytest
from PIL import Image

from rcae import Detector
from tests.base.test_extras import without

TRITON_TYPES = {"UINT8": "uint8", "FP32": "float", "BOOL": "bool"}
EXAMPLES = Path(__file__).parents[3] / "examples"
DEBIAN_HEADERS = Path("/usr/include/onnxruntime")
"""Where libonnxruntime-dev puts them; others are found through CPATH."""


def test_the_python_example_says_what_the_run_says_without_this_package(
    finished_run, onnx_file, parts
):
    paths = some_of(parts)
    code = (
        f"sys.argv = {['', str(onnx_file), *map(str, paths)]!r}\n"
        f"import runpy\nrunpy.run_path({str(EXAMPLES / 'predict_onnx.py')!r}, run_name='__main__')"
    )
    done = without(["rcae", "torch", "scipy", "pydantic"], code)
    assert done.stderr == ""
    detector = Detector.load(finished_run)
    for line, path in zip(done.stdout.splitlines(), paths, strict=True):
        decision, score, *_, named = line.split()
        assert_same(detector.predict(path), decision, score)
        assert named == str(path)


def test_the_cpp_example_says_what_the_run_says(cpp_example, finished_run, onnx_file, parts):
    detector = Detector.load(finished_run)
    for path in some_of(parts):
        done = run(cpp_example, onnx_file, as_ppm(path, cpp_example.parent))
        decision, score, _, x, y, _ = done.stdout.split()
        expected = detector.predict(path)
        assert_same(expected, decision, score)
        assert done.returncode == expected.is_defective
        row, column = int(y.removeprefix("y=")), int(x.removeprefix("x="))
        assert abs(expected.anomaly_map[row, column] - expected.anomaly_score) < 1e-3


def test_the_cpp_example_takes_another_threshold(cpp_example, onnx_file, parts):
    image = as_ppm(some_of(parts)[0], cpp_example.parent)
    assert [run(cpp_example, onnx_file, image, t).returncode for t in ("-1e9", "1e9")] == [1, 0]


def test_the_triton_example_asks_for_what_the_graph_takes_and_gives(onnx_file):
    config = (EXAMPLES / "triton" / "config.pbtxt").read_text()
    told = re.findall(r'name: "(\w+)" data_type: TYPE_(\w+) dims: (\[.*?\])( reshape)?', config)
    session = onnxruntime.InferenceSession(onnx_file)
    tensors = [*session.get_inputs(), *session.get_outputs()]
    assert [name for name, *_ in told] == [tensor.name for tensor in tensors]
    for (_, data_type, dims, reshaped), tensor in zip(told, tensors, strict=True):
        assert tensor.type == f"tensor({TRITON_TYPES[data_type]})"
        shape = [length if isinstance(length, int) else -1 for length in tensor.shape]
        assert [int(length) for length in re.findall("-?[0-9]+", dims)] == (shape or [1])
        assert bool(reshaped) == (not shape)


@pytest.mark.parametrize("content", [b"P5 2 2 255\n1234", b"P6 2 2 255\n12345", b"", None])
def test_the_cpp_example_refuses_what_is_no_image(cpp_example, onnx_file, tmp_path, content):
    broken = tmp_path / "broken.ppm"
    if content is not None:
        broken.write_bytes(content)
    done = run(cpp_example, onnx_file, broken)
    assert done.returncode == 2
    assert done.stdout == ""
    assert str(broken) in done.stderr


def test_the_cpp_example_refuses_what_is_no_model(cpp_example, parts, tmp_path):
    image = as_ppm(some_of(parts)[0], tmp_path)
    for path in (image, tmp_path / "missing.onnx"):
        done = run(cpp_example, path, image)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")


@pytest.fixture(scope="module")
def cpp_example(tmp_path_factory):
    """The C++ example, built as docs/export.md says, with the library of the Python package."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    include = ["-I", str(DEBIAN_HEADERS)]
    looked = subprocess.run(
        ["g++", *include, "-E", "-include", "onnxruntime_c_api.h", "-x", "c++", "/dev/null"],
        capture_output=True,
        check=False,
    )
    if looked.returncode:
        pytest.skip("ONNX Runtime's header is not installed")
    folder = tmp_path_factory.mktemp("cpp")
    (library,) = Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(library)
    subprocess.run(
        [
            *("g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", *include),
            *(str(EXAMPLES / "cpp" / "predict_onnx.cpp"), "-L", str(folder), "-lonnxruntime"),
            *(f"-Wl,-rpath,{folder}", "-o", str(folder / "predict_onnx")),
        ],
        check=True,
    )
    return folder / "predict_onnx"


def some_of(parts):
    return [parts / "test" / kind / "000.png" for kind in ("good", "scratch")]


def as_ppm(path, folder):
    with Image.open(path) as image:
        image.convert("RGB").save(folder / "image.ppm")
    return folder / "image.ppm"


def run(*arguments):
    return subprocess.run(
        [str(argument) for argument in arguments], capture_output=True, text=True, check=False
    )


def assert_same(expected, decision, score):
    assert decision == ("defective" if expected.is_defective else "good")
    assert abs(float(score) - expected.anomaly_score) < 1e-3
