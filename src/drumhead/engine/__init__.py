"""Engines that run the recursion of `drumhead.propagate` faster than its loop."""
