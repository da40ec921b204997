"""What a run is measured by on test images: the file, and the scores in it. Imports no torch."""

from pathlib import Path

from drumhead.files import read_json

RESULT = "evaluation-test.json"
SCORES = {
    "foreground_accuracy": "foreground accuracy",
    "foreground_iou": "foreground IoU",
    "mean_iou": "class-mean IoU",
    "dice": "Dice",
    "boundary_f": "boundary F",
    "accuracy": "accuracy",
    "loss": "loss",
}
"""Each as a reader calls it."""


def by_hand(result: Path) -> bool:
    """Say whether `drumhead evaluate` wrote a result: it names its weights, which may be earlier ones of the run."""
    try:
        return "weights" in read_json(result)
    except ValueError:
        return False  # whoever reads it says that it is damaged
