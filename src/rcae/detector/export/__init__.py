"""Export of a run to one file for other runtimes, with pre- and post-processing inside."""

from rcae.base.extras import require

require("torch", "safetensors", "onnx", purpose="rcae export")
