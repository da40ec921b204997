"""Parts of `diagnostics/nothing_lost.py`."""
