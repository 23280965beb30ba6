"""Annotations of labelling tools as masks: polygons and run lengths instead of pictures."""
