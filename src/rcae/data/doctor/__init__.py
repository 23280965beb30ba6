"""Diagnosis of the images and masks of a folder."""
