"""Draw what a network says of a wire after more and more rounds.

python diagnostics/rounds_labels.py OUT.png LENGTH IMAGE [SOURCE]
"""

import sys
from pathlib import Path

import drumhead as dh
from drumhead.show.figures import new_figure, no_ticks, save_figure
from drumhead.show.palette import class_colours, mask_colours
from drumhead.tasks import wires

ROUNDS = (2, 5, 10, 20, 30, 40)

if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, length, number, *source = sys.argv[1:]
    images, masks = wires.arrays("test", int(length), 0, int(number) + 1)
    model, image = dh.load(*source or ["wires"]), dh.to_images(images[-1:])
    shown = [(f"{count} rounds", model.in_rounds(count).segment(image)[0].numpy()) for count in ROUNDS]
    figure = new_figure(12, 2)
    for axis, (title, labels) in zip(figure.subplots(1, 7), [*shown, ("truth", masks[-1])], strict=True):
        axis.imshow(mask_colours(labels, class_colours(3)), interpolation="nearest")
        axis.set_title(title, fontsize=9)
        no_ticks(axis)
    save_figure(figure, Path(out))
