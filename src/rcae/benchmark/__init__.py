"""Many models on many categories under one protocol: same images, masks, metrics and timing."""
