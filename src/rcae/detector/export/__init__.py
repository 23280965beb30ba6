"""From a run to one file that other runtimes execute, pre- and post-processing inside."""

from rcae.base.extras import require

require("torch", "safetensors", "onnx", purpose="rcae export")
