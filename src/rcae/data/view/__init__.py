"""How the networks see an image: scale, exposure, and the part in it."""
