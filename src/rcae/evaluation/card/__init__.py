"""Model cards: what a run folder says of its model, gathered, measured against doubt, and written."""

from rcae.base.extras import require

require("torch", "safetensors", purpose="a model card")
