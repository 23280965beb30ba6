"""What executes a model: torch on a run, another runtime on an exported file."""
