"""Foundation of every other room: errors, settings, storage, progress and facts of the machine."""
