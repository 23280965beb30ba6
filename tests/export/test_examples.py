from pathlib import Path

from rcae import Detector
from tests.test_extras import without

EXAMPLE = Path(__file__).parents[2] / "examples" / "predict_onnx.py"


def test_the_python_example_says_what_the_run_says_without_this_package(
    finished_run, onnx_file, parts
):
    paths = [parts / "test" / kind / "000.png" for kind in ("good", "scratch")]
    code = (
        f"sys.argv = {['', str(onnx_file), *map(str, paths)]!r}\n"
        f"import runpy\nrunpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    )
    done = without(["rcae", "torch", "scipy", "pydantic"], code)
    assert done.stderr == ""
    detector = Detector.load(finished_run)
    for line, path in zip(done.stdout.splitlines(), paths, strict=True):
        decision, score, *_, named = line.split()
        expected = detector.predict(path)
        assert decision == ("defective" if expected.is_defective else "good")
        assert abs(float(score) - expected.anomaly_score) < 1e-3
        assert named == str(path)
