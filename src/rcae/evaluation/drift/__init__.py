"""Drift: a test of new scores against those of the calibration."""
