"""Where images come from by themselves: a folder that others write to, a camera, a video."""
