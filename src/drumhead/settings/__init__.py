"""Every setting, and named ones. No torch."""
