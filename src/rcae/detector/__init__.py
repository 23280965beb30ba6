"""A trained model that stays loaded: an image in, a detection out."""
