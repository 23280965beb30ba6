"""Painting on good images, and their variation."""
