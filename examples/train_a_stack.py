"""Train a stack of waves in five minutes of one core and see what they do; docs/guide/train-a-stack.md explains it.

    OMP_NUM_THREADS=1 python examples/train_a_stack.py [FOLDER] [--quick]     by default everything goes to stack-walk

It trains two networks, one of them without waves, and keeps their runs in FOLDER: a second time it takes those that are
there. With --quick both see 128 images, which is enough to see that everything works and for nothing else.
"""

# %% The task: which wire has the dot?
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import drumhead as dh
from drumhead.learn import train
from drumhead.learn.crops import open_split
from drumhead.learn.evaluate import evaluate
from drumhead.settings.presets import get_preset
from drumhead.show import movies
from drumhead.show.figures import new_figure, no_ticks, save_figure
from drumhead.show.palette import class_colours, in_colours, wave_colours

quick = "--quick" in sys.argv
out = Path(next((word for word in sys.argv[1:] if not word.startswith("-")), "stack-walk"))
IMAGES, EPOCHS, TEST = (128, 2, 32) if quick else (20_000, 5, 1000)  # for each network

task = dh.tasks.get("wires")
images, masks = task.arrays("test")
wires = masks[:TEST][masks[:TEST] > 0]
print(f"{len(task.arrays('train')[0]):,} images to train on; of a wire's pixels {(wires == 2).mean():.3f} have no dot")

# %% Two networks: three layers of waves, and the same layers whose pixels are not coupled
config = get_preset("wires/nwm-stack")
training = replace(config.train, epochs=EPOCHS, epoch_images=IMAGES // EPOCHS, validation_images=min(200, TEST))
configs = {"waves": config.model, "no waves": config.model.changed(coupling="none")}

# %% Train
networks = {}
for name, model in configs.items():
    place = out / f"{name.replace(' ', '-')}-{IMAGES}"
    if (place / "config.toml").exists():
        run = train.resume(place)
    else:
        run = train.start(replace(config, model=model, train=training), place)
    networks[name] = dh.load(run.path)
    size = sum(parameter.numel() for parameter in networks[name].parameters())
    print(f"{name}: {size:,} parameters, {IMAGES:,} images in {run.rows()[-1]['cpu_seconds']:.0f} s of one core")

# %% What do the waves do? Cut them, and try without
networks["waves, cut after training"] = networks["waves"].cut()
split = open_split(task, "test", torch.device("cpu"), TEST)
print(f"share of the wires' pixels that is right, in {TEST:,} test images:")
for name, network in networks.items():
    scores = evaluate(network, split, len(task.classes), 16)
    print(f"    {name:<26} {scores['foreground_accuracy']:.3f}   (Dice {scores['dice']:.3f})")

# %% Look at masks
some = (0, 1, 2, 3, 4)
x = dh.to_images(images[list(some)])
colours = class_colours(len(task.classes))
rows = {"image": [in_colours(images[i]) for i in some], "truth": [colours[masks[i]] for i in some]}
rows |= {name: list(colours[network.segment(x).numpy()]) for name, network in networks.items()}
figure = new_figure(1.55 * len(some) + 1.3, 1.6 * len(rows))
for axes, (name, row) in zip(figure.subplots(len(rows), len(some)), rows.items(), strict=True):
    axes[0].set_ylabel(name.replace(", ", ",\n"), fontsize=9)
    for axis, picture in zip(axes, row, strict=True):
        axis.imshow(picture, interpolation="nearest")
        no_ticks(axis)
save_figure(figure, out / "masks.png", colours=32)

# %% Look at waves: of each layer the sheet that moves most, in the first image
network = networks["waves"]
series = [network.waves(x[:1], layer=layer)[0].detach().numpy() for layer in network.sounding]
moments = (1, 2, 3, 4, 6, 8, 10, 12)
figure = new_figure(1.2 * len(moments) + 0.5, 1.35 * len(series))
for layer, (axes, waves) in enumerate(zip(figure.subplots(len(series), len(moments)), series, strict=True), 1):
    sheet = waves[:, waves.std(0).mean((1, 2)).argmax()]
    axes[0].set_ylabel(f"layer {layer}", fontsize=9)
    for axis, step in zip(axes, moments, strict=True):
        axis.imshow(wave_colours(sheet[step - 1], np.quantile(np.abs(sheet), 0.995)), interpolation="nearest")
        axis.set_title(f"step {step}" if layer == 1 else "", fontsize=8)
        no_ticks(axis)
save_figure(figure, out / "layers.png", colours=128)

# %% A movie, first one layer, then the next
labels = network.segment(x[:1])[0].numpy()
movies.save_waves(out / "waves.gif", images[0], series, labels, len(task.classes), network.dt)
