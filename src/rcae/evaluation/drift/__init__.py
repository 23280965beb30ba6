"""Whether scores still look like those of the calibration."""
