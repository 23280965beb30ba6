"""Functions that do what the commands do, with the same names and options, for Python programs."""
