"""Inspect images with an exported file: onnxruntime and numpy, and Pillow to read the images.

    python examples/predict_onnx.py parts.onnx new/0001.png new/0002.png

Prints one line per image: decision, score, place of the highest anomaly, path.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image


def main() -> None:
    """Load once, then inspect image by image."""
    file, *paths = sys.argv[1:]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    described = json.loads(session.get_modelmeta().custom_metadata_map["rcae"])
    threshold = np.array(described["header"]["calibration"]["threshold"], dtype=np.float32)
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        anomaly_map, score, is_defective = session.run(
            ["anomaly_map", "anomaly_score", "is_defective"],
            {"images": pixels[None], "threshold": threshold},  # uint8 [1, height, width, 3]
        )
        row, column = np.unravel_index(anomaly_map[0].argmax(), anomaly_map[0].shape)
        decision = "defective" if is_defective[0] else "good"
        print(f"{decision}  {score[0]:.4f}  at x={column} y={row}  {path}")


if __name__ == "__main__":
    main()
