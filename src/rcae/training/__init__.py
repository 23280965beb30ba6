"""The three stages of training, their plan, and what survives an interruption."""
