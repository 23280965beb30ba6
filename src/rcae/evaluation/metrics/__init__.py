"""How well a detector separates defective from good, measured exactly on raw scores."""
