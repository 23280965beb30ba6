"""What the commands do, as functions for Python programs: the same names, the same options."""
