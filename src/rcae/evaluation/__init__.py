"""Quality of a detector: measured on test images, compared, verified, and watched for drift."""
