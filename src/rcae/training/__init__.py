"""The three stages of training, their plan, and what survives an interruption."""

from rcae.extras import require

require("torch", "safetensors", purpose="training")
