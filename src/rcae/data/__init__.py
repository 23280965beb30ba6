"""Images on disk: where they are, what they contain, and what is wrong with them."""
