"""What a run is measured by on test images: the file, and the scores in it. Imports no torch."""

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
