"""Draw validation foreground accuracy of runs against image passes and seconds.

python diagnostics/learning_curves.py OUT.png RUN [RUN ...]      (a RUN is a directory with metrics.jsonl)
"""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure


def main(out: str, *runs: str) -> None:
    figure = Figure(figsize=(9, 3.4), dpi=120)
    axes = figure.subplots(1, 2, sharey=True)
    for run in map(Path, runs):
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        accuracy = [row["val_foreground_accuracy"] for row in rows]
        for axis, key, unit in zip(axes, ("images", "seconds"), (1000, 60), strict=True):
            axis.plot([row[key] / unit for row in rows], accuracy, marker=".", markersize=3, label=run.name)
    axes[0].set(xlabel="image passes (thousands)", ylabel="validation foreground accuracy", ylim=(0, 1))
    axes[1].set(xlabel="minutes (shared machine)")
    axes[0].legend(frameon=False, loc="center right")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.2)
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
