"""Measure networks of the front beside the U-Net by turns: `python diagnostics/prices.py OUT.json TASK NAME...`.

On one thread by processor time and on two by real time, for which the machine should rest; ratios of the same round
(see `drumhead.reproduce.timings`).
"""

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from drumhead.reproduce.front import ROWS
from drumhead.reproduce.timings import prices

ROUNDS = 15

if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, task, *names = sys.argv[1:]
    rows = [row for row in ROWS if any(fnmatchcase(row.name, name) for name in names)]
    found = {f"{threads} threads": prices(rows, task, ROUNDS, threads) for threads in (1, 2)}
    Path(out).write_text(json.dumps({"task": task, **found}, indent=1) + "\n")
    for threads, measured in found.items():
        for name, price in measured.items():
            if name != "about":
                print(threads, name, *(f"{price[mode]['ratio']:.2f}" for mode in ("train", "infer")))
