"""Pictures, movies and sound of what a model does. Plain arrays in, files out; no torch."""
