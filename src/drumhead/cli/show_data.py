"""`drumhead train ... --show-data`: what is understood of a folder of images."""

from pathlib import Path

from drumhead.errors import DrumheadError
from drumhead.settings.config import TrainConfig


def show_data(task: str, data: str, training: TrainConfig, out: Path) -> None:
    """Print a table of a folder's splits and classes, and write a picture of some images with their masks.

    Args:
        task: must be "folder".
        data: its directory.
        training: says how large its crops are.
        out: directory of the picture, `data.png`.
    """
    if task != "folder":
        raise DrumheadError(f"--show-data shows your own images; {task} makes or reads its own, as 'folder' does not")

    import numpy as np

    from drumhead import tasks
    from drumhead.files import check_writable
    from drumhead.learn.crops import check_files, crop_side
    from drumhead.show.dataset import Part, save_dataset, share, sizes
    from drumhead.show.figures import caption
    from drumhead.show.pages import Grid
    from drumhead.show.palette import colours_of
    from drumhead.show.terminal import Bar, print_table
    from drumhead.tasks.folder import Folder

    check_writable(out)
    folder = tasks.get(task, data or None)
    assert isinstance(folder, Folder)
    check_files(folder, Bar())
    crop = crop_side(folder, training)
    parts = []
    for name in tasks.SPLITS:
        files = folder.images(name)
        pixels = np.sum([files.classes_in(i) for i in range(len(files))], axis=0)
        parts.append(Part(name, files.sizes, pixels, sum(y * x for y, x in files.sizes)))
    files = folder.images("train")
    chosen = sorted({round(i * (len(files) - 1) / 4) for i in range(5)})
    examples = [(files.pairs[i].image.name, *files[i]) for i in chosen]
    warning = folder.warning()
    save_dataset(out / "data.png", examples, folder.classes, colours_of(folder.class_list), parts, crop, warning)

    kind = "grey" if folder.image_channels == 1 else "colour"
    title = f"{kind} images, {f'crops of {crop} x {crop}' if crop else 'taken whole'} in training"
    rows = [(part.name, str(len(part.sizes)), sizes(part.sizes)) for part in parts]
    print_table(Grid(("split", "images", "pixels"), rows, title))
    rows = [
        (caption(name), *(share(part, part.pixels[label]) for part in parts))
        for label, name in enumerate(folder.classes)
    ]
    if any(part.ignored for part in parts):
        rows.append(("ignored", *(share(part, part.ignored) for part in parts)))
    print_table(Grid(("class", *(part.name for part in parts)), rows, "share of the pixels"))
    if warning:
        print(warning)
    print(f"written: {out / 'data.png'}")
