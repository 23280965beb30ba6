import pytest

from rcae.detector.export.run_export import export_run


@pytest.fixture(scope="session")
def onnx_file(finished_run, tmp_path_factory):
    """The tiny run as an ONNX file."""
    file = tmp_path_factory.mktemp("exports") / "parts.onnx"
    export_run(finished_run, "onnx", "fp32", None, file)
    return file


@pytest.fixture(scope="session")
def openvino_file(finished_run, tmp_path_factory):
    """The tiny run as an OpenVINO file."""
    file = tmp_path_factory.mktemp("exports") / "parts.xml"
    export_run(finished_run, "openvino", "fp32", None, file)
    return file
