"""Optional packages: the extra that installs each one, and the message when one is missing."""

from importlib.util import find_spec

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
}


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
            raise MissingExtraError(f"{purpose} needs {title}; run: pip install 'rcae[{extra}]'")
