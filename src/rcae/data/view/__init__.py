"""Image preprocessing for the networks: scale, exposure, and the crop to the part."""
