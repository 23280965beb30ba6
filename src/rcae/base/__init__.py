"""What every other room stands on: errors, settings, storage, progress, and facts of the machine."""
