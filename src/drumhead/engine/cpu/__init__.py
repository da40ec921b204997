"""The engine in C, for processors."""
