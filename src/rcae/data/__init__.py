"""Images on disk: where they lie, what they hold, what is wrong with them."""
