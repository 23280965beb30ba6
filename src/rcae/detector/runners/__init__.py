"""Runners, which execute a model: torch for a run, another runtime for an exported file."""
