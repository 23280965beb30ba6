"""Model cards: facts of a run folder about its model, with confidence intervals, written as files."""

from rcae.base.extras import require

require("torch", "safetensors", purpose="a model card")
