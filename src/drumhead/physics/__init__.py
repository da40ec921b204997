"""Waves through a medium."""
