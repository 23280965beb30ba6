"""What training paints on good images, and how it varies them."""
