"""Image and mask files as uint8 arrays, each mistake named. No torch."""
