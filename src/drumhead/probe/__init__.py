"""What a network sees and how its medium answers."""
