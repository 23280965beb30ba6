"""A model whose anomaly map is the red channel, so that a score can be read off the image."""

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from rcae.base.errors import ImageError
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration import Calibration
from rcae.detector.detector import Detector

CALIBRATION = Calibration(
    scores=(0.1, 0.2, 0.3, 0.4), typical_value=0.05, false_alarm_rate=0.2, threshold=0.5
)
TOO_LARGE_PX = 3000
"""Width from which it refuses an image, as an exported file does."""


class GreyRunner:
    can_explain = False
    weights_sha256 = "ab" * 32
    executed_sha256 = "cd" * 32
    header = SimpleNamespace(calibration=CALIBRATION, working_view=WorkingView(1.0))

    def __init__(self):
        self.drawn = []
        """How many images were drawn together, each time."""

    def refusal(self, image):
        return ImageError("too large for this model") if image.shape[1] >= TOO_LARGE_PX else None

    def maps(self, images):
        assert not any(map(self.refusal, images))
        self.drawn.append(len(images))
        return [np.ascontiguousarray(image[..., 0]) for image in images]


def grey_detector():
    return Detector(GreyRunner())


def png(level, size=(20, 16), kind="PNG"):
    """An image file of one grey level 0..255; its score is level / 255."""
    buffer = io.BytesIO()
    Image.new("L", size, level).save(buffer, kind)
    return buffer.getvalue()
