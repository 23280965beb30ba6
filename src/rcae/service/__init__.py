"""HTTP service at the line: images in, recorded inspections out, and a page for people."""
