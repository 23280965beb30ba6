"""Study of many models on many categories under one protocol: same images, masks, metrics and timing."""

from rcae.base.extras import require

require("torch", "safetensors", purpose="the benchmark")
