"""What a detector is worth: measured on test images, compared, verified, watched."""
