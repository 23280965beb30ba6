"""Model cards: what a run folder says of its model, gathered, measured against doubt, and written."""

from rcae.extras import require

require("torch", "safetensors", purpose="a model card")
