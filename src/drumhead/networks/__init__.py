"""Networks from images to labels."""
