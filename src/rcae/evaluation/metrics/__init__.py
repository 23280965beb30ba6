"""Metrics of the separation between defective and good, computed exactly on raw scores."""
