"""Many images and many models: parts and shards, and workers on this machine or on a Ray cluster."""
