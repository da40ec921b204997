"""The engine in CUDA, for NVIDIA's GPUs."""
