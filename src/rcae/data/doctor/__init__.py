"""What is wrong with the images and masks of a folder."""
