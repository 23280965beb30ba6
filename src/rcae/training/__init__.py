"""The three stages of training, their plan, and what survives an interruption."""

from rcae.base.extras import require

require("torch", "safetensors", purpose="training")
