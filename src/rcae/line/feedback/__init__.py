"""Verdicts of people on decisions, and the changes of a model that follow from them."""
