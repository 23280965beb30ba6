"""Sources of images: a folder that others write to, a camera, a video."""
