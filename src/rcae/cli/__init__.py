"""Command line of the package, one file for each command."""
