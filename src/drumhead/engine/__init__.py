"""Engines: one recursion, y'' = phi(W * y) - omega y - alpha y' step by step, as fast as each device allows.

eager.py is the loop that defines it; cpu/ does the same in C, gpu/ in CUDA, each with its exact adjoint, checked
against the loop. choose.py picks one, run.py calls it, plan.py says in plain numbers what it is asked to do. What a
network does at each pixel goes the same way: modules.py says what an engine may run, pixelwise.py has it run.
"""

from drumhead.engine.choose import available, using
from drumhead.engine.run import exactly_local
from drumhead.engine.watch import checking

__all__ = ["available", "checking", "exactly_local", "using"]
