"""The run folder: its files, the model in it, earlier models, keys and signatures."""
