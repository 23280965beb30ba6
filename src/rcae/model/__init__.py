"""The three networks of the paper and their composition."""
