"""Your own images: any size and depth, masks by number or colour, what is ignored, crops, tiles, and one message."""

import json
import math
import os
import re
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import drumhead as dh
from conftest import call
from drumhead import tasks
from drumhead.learn import train, training
from drumhead.learn.crops import Crops, crop_side, cut, open_split
from drumhead.learn.data import Split
from drumhead.learn.evaluate import evaluate
from drumhead.learn.loss import Loss, class_weights
from drumhead.learn.metrics import Segmentation
from drumhead.learn.run import Run
from drumhead.networks.tiles import Tiles, answer, largest_courant, margin_of, spans, tiles_of, windows
from drumhead.read.classes import IGNORE, ClassList, parse
from drumhead.read.images import look, read_image, to_bytes
from drumhead.read.masks import read_mask
from drumhead.settings.config import RunConfig, TrainConfig
from drumhead.settings.presets import get_preset
from drumhead.settings.text import from_dict, to_dict
from drumhead.show.palette import IGNORED, class_colours, mask_colours
from drumhead.show.terminal import Progress
from drumhead.tasks import files

SIZES = ((37, 21), (19, 44), (40, 40), (33, 26), (23, 23), (29, 50), (31, 31), (45, 22), (20, 20), (26, 39))
PLAIN = ClassList(("background", "cell", "nucleus"))


@pytest.fixture
def mixed(tmp_path):
    """Write ten images of ten sizes: bright squares of two classes and a strip that is ignored, in all formats."""
    root, random = tmp_path / "data", np.random.default_rng(0)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    (root / "classes.txt").write_text("background\ncell\nnucleus\nignore 255\n")
    for i, size in enumerate(SIZES):
        mask = np.zeros(size, np.uint8)
        mask[3:9, 2:9], mask[10:15, 10:16] = 1, 2
        mask[-2:] = 255
        image = (40 + 80 * (mask % 255) + random.integers(0, 20, size)).astype(np.uint8)
        suffix = ("png", "jpg", "tif", "bmp", "png")[i % 5]
        deep = image.astype(np.uint16) * 16
        Image.fromarray(deep if i % 5 == 4 else image).save(root / "images" / f"{i}.{suffix}")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    return root


# What files say


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(0, 5000))
@settings(max_examples=40, deadline=None)
def test_a_deep_image_is_scaled_by_its_own_range(seed, gain, offset):
    values = np.random.default_rng(seed).integers(0, 1000, (9, 11))
    scaled = to_bytes(values)
    assert scaled.dtype == np.uint8
    assert (scaled.min(), scaled.max()) == (0, 255)
    order = np.argsort(values.ravel())
    assert (np.diff(scaled.ravel()[order].astype(int)) >= 0).all()
    np.testing.assert_array_equal(to_bytes(gain * values + offset), scaled)  # gain and black level do not matter
    exact = (values - values.min()) / (values.max() - values.min())
    assert np.abs(scaled / 255 - exact).max() <= 0.5 / 255 + 1e-12


def test_a_hot_pixel_does_not_blind_an_image_and_a_rare_spot_is_seen():
    values = np.random.default_rng(0).integers(100, 4000, (64, 64)).astype(np.uint16)
    hot = values.copy()
    hot[5, 5] = 65535
    np.testing.assert_allclose(to_bytes(hot)[6:], to_bytes(values)[6:], atol=1)
    spot = np.zeros((64, 64), np.float32)
    assert (to_bytes(spot) == 0).all()
    spot[3, 3] = 0.1
    assert (to_bytes(spot) > 0).sum() == 1


@pytest.mark.parametrize(
    ("suffix", "kind"), [("png", "uint16"), ("tif", "uint16"), ("tif", "float32"), ("tif", "int32")]
)
def test_deep_grey_is_read_from_files(tmp_path, suffix, kind):
    values = np.random.default_rng(0).integers(0, 4096, (12, 7)).astype(kind)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(values).save(path)
    assert look(path) == ((12, 7), True)
    np.testing.assert_array_equal(read_image(path, 1)[..., 0], to_bytes(values))
    assert (read_image(path, 3) == read_image(path, 1)).all()
    if kind == "float32":
        values[0, 0] = np.nan
        Image.fromarray(values).save(path)
        with pytest.raises(dh.DrumheadError, match="values that are no numbers"):
            read_image(path, 1)


LABELS = np.array([[0, 1, 2, 2], [1, 0, 0, 2], [2, 2, 1, 0]], np.uint8)
TABLE = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 254]], np.uint8)
COLOURED = ClassList(PLAIN.names, (0, 0xFF0000, 0x0000FE))


def palette(labels, colours):
    picture = Image.fromarray(labels, mode=None).convert("L").copy()
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    return picture


@pytest.mark.parametrize(
    ("picture", "classes"),
    [
        (Image.fromarray(LABELS), PLAIN),
        (Image.fromarray(LABELS.astype(np.uint16)), PLAIN),
        (Image.fromarray(LABELS.astype(np.int32)), PLAIN),
        (Image.fromarray(LABELS).convert("RGB"), PLAIN),
        (palette(LABELS, TABLE), PLAIN),
        (palette(LABELS, TABLE), COLOURED),
        (palette(2 - LABELS, TABLE[::-1]), COLOURED),  # the colours count, not the order of the palette
        (Image.fromarray(TABLE[LABELS]), COLOURED),
        (Image.fromarray(TABLE[LABELS]).convert("RGBA"), COLOURED),
    ],
)
def test_masks_are_read_by_number_or_colour(tmp_path, picture, classes):
    path = tmp_path / "mask.tif"
    picture.save(path)
    np.testing.assert_array_equal(read_mask(path, classes), LABELS)


def test_two_classes_may_be_black_and_white(tmp_path):
    mask, path = (LABELS > 0).astype(np.uint8), tmp_path / "mask.png"
    for levels, ignored in ((mask * 255, None), (mask, None), (mask * 255, 7)):
        Image.fromarray(levels).save(path)
        np.testing.assert_array_equal(read_mask(path, ClassList(("no", "yes"), ignored=ignored)), mask)
    Image.fromarray(mask * 255).convert("1").save(path)
    np.testing.assert_array_equal(read_mask(path, ClassList(("no", "yes"))), mask)
    Image.fromarray(mask * 255).save(path)
    np.testing.assert_array_equal(read_mask(path, ClassList(("no", "yes"), ignored=255)), mask * IGNORE)
    levels = np.where(mask, 255, 0).astype(np.uint8)
    levels[0, 0] = 1
    Image.fromarray(levels).save(path)
    with pytest.raises(dh.DrumheadError, match="has the label 255; there are 2 classes"):
        read_mask(path, ClassList(("no", "yes")))


def test_what_is_ignored_is_read_as_such(tmp_path):
    path, hole = tmp_path / "mask.png", LABELS.copy()
    hole[1] = IGNORE
    Image.fromarray(hole).save(path)
    np.testing.assert_array_equal(read_mask(path, replace(PLAIN, ignored=255)), hole)
    shown = TABLE[LABELS]
    shown[1] = 128
    Image.fromarray(shown).save(path)
    np.testing.assert_array_equal(read_mask(path, replace(COLOURED, ignored=0x808080)), hole)
    with pytest.raises(dh.DrumheadError, match=r"colour #808080 at x=0, y=1 \(4 such pixels\)"):
        read_mask(path, COLOURED)
    shown[0, 0] = 7
    Image.fromarray(shown).save(path)
    with pytest.raises(dh.DrumheadError, match=r"colours #070707 at x=0, y=0 and #808080 \(5 such pixels\)"):
        read_mask(path, COLOURED)
    assert (mask_colours(hole, class_colours(3))[1] == IGNORED).all()
    assert (mask_colours(hole, class_colours(3))[0] == class_colours(3)[hole[0]]).all()


@pytest.mark.parametrize(
    ("array", "suffix", "message"),
    [
        (TABLE[LABELS], "png", "has the mode RGB and shows colours; classes.txt says what they mean"),
        (LABELS, "jpg", "is a JPEG, which smears"),
        (LABELS + np.uint8(30), "png", "has the labels 30, 31 and 32; there are 3.*number of its own"),
        (LABELS.astype(np.int32) - 1, "tif", "values that are no labels"),
        (LABELS + np.float32(0.5), "tif", "values that are no labels"),
    ],
)
def test_masks_that_say_nothing_are_explained(tmp_path, array, suffix, message):
    Image.fromarray(array).save(tmp_path / f"mask.{suffix}")
    with pytest.raises(dh.DrumheadError, match=message):
        read_mask(tmp_path / f"mask.{suffix}", PLAIN)


@given(
    st.lists(
        # what ends in a colour is a name with one
        st.text("abc #09ß", min_size=1, max_size=9)
        .map(str.strip)
        .filter(lambda x: x and not re.search(r" #\w{6}$", x)),
        min_size=2,
        max_size=9,
        unique=True,
    ),
    st.booleans(),
    st.sampled_from([None, 9, 255]),
)
@settings(max_examples=50, deadline=None)
def test_a_class_list_survives_as_text(names, coloured, ignored):
    colours = tuple(range(100, 100 + len(names))) if coloured else ()
    classes = ClassList(tuple(names), colours, ignored)
    assert parse(classes.text(), "here") == classes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a #000000\nb", "gives 1 of 2 classes a colour"),
        ("a #000000\nb #000000", "the colour #000000 twice"),
        ("a #000000\nb #000001\nignore #000001", "the colour #000001 twice"),
        ("a #000000\nb #000001\nignore 255", "'ignore 255' beside classes with colours"),
        ("a\nb\nignore #ffffff", "beside classes without colours"),
        ("a\nb\nignore", "line 3 is 'ignore' alone"),
        ("a\nb\nignore 9\nignore 8", "line 4 ignores a second value"),
        ("a\nb\nignore 1", "is the label of a class; ignore a value of 2 or more"),
        ("\n".join(map(str, range(256))), "256 classes; 2 to 255"),
    ],
)
def test_class_lists_that_contradict_themselves_are_explained(text, message):
    with pytest.raises(dh.DrumheadError, match=re.escape(message)):
        parse(text, "classes.txt")


def test_all_mistakes_are_told_at_once(mixed):
    (mixed / "masks" / "1.png").unlink()
    (mixed / "images" / "2.tif").write_bytes(b"no image")
    Image.new("L", (5, 5)).save(mixed / "masks" / "3.png")
    Image.new("L", (23, 23), 9).save(mixed / "masks" / "4.png")
    Image.new("L", (5, 5)).save(mixed / "masks" / "of-nothing.png")
    with pytest.raises(dh.DrumheadError) as error:
        train.start(replace(get_preset("folder/nwm-fast"), data=str(mixed)), mixed.parent / "run")
    text = str(error.value)
    assert "has 5 mistakes" in text
    for said in ("1.jpg has no mask", "of-nothing.png has no image", "2.tif is not a readable image",
                 "3.bmp is 26 x 33 pixels, its mask 5 x 5 (width x height)", "4.png has the label 9"):  # fmt: skip
        assert said in text
    assert not (mixed.parent / "run").exists()
    (mixed / "masks" / "1.jpg").write_bytes(b"smeared")
    with pytest.raises(dh.DrumheadError, match=r"1\.jpg has no mask: .*masks/1\.jpg is none, masks are \.png"):
        tasks.get("folder", mixed).check()
    for i in range(40):
        Image.new("L", (5, 5)).save(mixed / "masks" / f"more-{i}.png")
    with pytest.raises(dh.DrumheadError, match=r"(?s)has 45 mistakes:(\n  [^\n]*){5}$"):
        tasks.get("folder", mixed).check()


def test_the_same_mistake_of_many_files_is_told_once(mixed):
    for i in range(2, 9):
        (mixed / "masks" / f"{i}.png").unlink()
    for i, labels in ((0, (7, 127)), (1, (4, 3))):
        mask = np.zeros(SIZES[i], np.uint8)
        mask[0, :2] = labels
        Image.fromarray(mask).save(mixed / "masks" / f"{i}.png")
    with pytest.raises(dh.DrumheadError) as error:
        tasks.get("folder", mixed).check()
    masks, images = mixed / "masks", mixed / "images"
    heading, *lines = str(error.value).split("\n  ")
    assert heading.endswith("has 9 mistakes:")
    assert lines[0] == (
        f"each of 7 images in {images} (2.tif, 3.bmp, 4.png, ...) has no mask: {masks / 'NAME.png'} is missing"
    )
    assert lines[1].startswith(f"{masks / '0.png'} has the labels 7 and 127; there are 3 classes")
    assert lines[1].endswith(f"; likewise, with numbers of their own, 1 more in {masks} (1.png)")
    assert len(lines) == 2


def test_a_directory_without_images_is_told_what_it_needs(tmp_path):
    for _ in range(2):  # empty, then with empty directories
        with pytest.raises(dh.DrumheadError, match=r"has no images: .*images, masks .*masks, .*classes\.txt"):
            tasks.get("folder", tmp_path)
        (tmp_path / "images").mkdir(exist_ok=True)


# What is read when


def test_images_of_different_sizes_come_one_by_one(mixed):
    task = tasks.get("folder", mixed)
    assert (task.size, task.image_channels) == (None, 1)
    assert [len(task.images(split)) for split in tasks.SPLITS] == [8, 1, 1]
    for image, mask in task.images("train"):
        assert image.shape == (*mask.shape, 1)
        assert set(np.unique(mask)) == {0, 1, 2, IGNORE}
    with pytest.raises(dh.DrumheadError, match=r"images of 21 x 37 and of 44 x 19 pixels, width.*task\.images"):
        task.arrays("train")


def test_files_are_read_as_they_are_needed(mixed, monkeypatch):
    read = []
    real = files.read_image
    monkeypatch.setattr(files, "read_image", lambda path, channels: read.append(path.name) or real(path, channels))
    images = tasks.get("folder", mixed).images("train")
    assert not read
    first = images[0]
    assert images[0] is first
    assert read == ["0.png"]
    monkeypatch.setattr(files, "CACHE", 5000)  # two of the first three
    for i in (1, 2, 1, 2, 0):
        images[i]
    assert read == ["0.png", "1.jpg", "2.tif", "0.png"]  # the least recently used one went
    np.testing.assert_array_equal(images[0][0], first[0])


# Crops


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_crop_is_a_window_of_the_image(height, width, side, seed):
    y, x = np.mgrid[:height, :width]
    image, mask = np.stack([y, x], -1).astype(np.uint8), (y % 3).astype(np.uint8)
    part, labels = cut(image, mask, side, np.random.default_rng(seed))
    assert part.shape == (side, side, 2)
    known = labels != IGNORE
    assert known.sum() == min(side, height) * min(side, width)
    np.testing.assert_array_equal(labels[known], part[known][:, 0] % 3)  # image and mask moved together
    rows, columns = (part[known][:, i] for i in (0, 1))
    for seen, size in ((rows, height), (columns, width)):
        assert sorted(set(seen.tolist())) == list(range(seen.min(), seen.min() + min(side, size)))


def test_every_place_of_a_crop_is_as_likely():
    random, mask = np.random.default_rng(0), np.zeros((12, 5), np.uint8)
    image = np.arange(12, dtype=np.uint8)[:, None, None].repeat(5, 1)
    firsts = np.bincount([int(cut(image, mask, 8, random)[0][:, 4].min()) for _ in range(2000)])
    assert len(firsts) == 5
    assert (np.abs(firsts - 400) < 5 * 400**0.5).all()
    padding = np.bincount([int((cut(image, mask, 8, random)[1][0] == IGNORE).argmin()) for _ in range(2000)])
    assert len(padding) == 4
    assert (np.abs(padding - 500) < 5 * 500**0.5).all()


@pytest.mark.parametrize(
    ("sizes", "given", "side"),
    [
        ([(64, 48)] * 3, 0, 0),  # whole, as they are
        ([(1024, 1360)] * 3, 0, 256),
        (SIZES, 0, 16),  # the median of the shorter sides is 22
        ([(300, 200), (180, 220), (210, 500)], 0, 192),
        ([(9, 9), (8, 12)], 0, 16),
        (SIZES, 33, 33),
        (SIZES, 64, 64),
        (SIZES, 65, "64 pixels hold the largest image"),
    ],
)
def test_a_crop_follows_from_the_images(mixed, sizes, given, side):
    task = tasks.get("folder", mixed)
    task.images("train").sizes[:] = sizes
    if isinstance(side, str):
        with pytest.raises(dh.DrumheadError, match=side):
            crop_side(task, TrainConfig(crop=given))
    else:
        assert crop_side(task, TrainConfig(crop=given)) == side


def test_crops_depend_on_seed_epoch_and_index_alone(mixed):
    settings = TrainConfig(batch=3, epoch_images=12, augment="dihedral", seed=3, thin=4)
    split = open_split(tasks.get("folder", mixed), "train", torch.device("cpu"), crop=24)
    whole = list(split.shuffled(settings, 1))
    assert [tuple(images.shape) for images, _ in whole] == [(3, 1, 24, 24)] * 4
    again = open_split(tasks.get("folder", mixed), "train", torch.device("cpu"), crop=24)
    for (a, b), (c, d) in zip(whole[2:], again.shuffled(settings, 1, start=2), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    assert not torch.equal(whole[0][0], next(iter(split.shuffled(settings, 2)))[0])
    at = split.pixels(settings, 0, 0, 3)
    assert at is not None
    assert at.shape == (3, 144)


def test_whole_images_are_measured_in_order_by_size(mixed):
    task = tasks.get("folder", mixed)
    split = Crops(task.images("train"), torch.device("cpu"), crop=16)
    seen = [tuple(masks.shape) for _, masks in split.in_order(4)]
    assert seen == [(1, *size) for size in SIZES[:8]]
    counts = np.sum([np.bincount(mask.ravel(), minlength=256)[:3] for _, mask in task.images("train")], axis=0)
    assert split.counts(3).tolist() == counts.tolist()


@pytest.mark.parametrize("name", ["nwm-stack", "nwm-modes", "nwm-fast", "unet-2", "nwm-linear", "resnet-2"])
@pytest.mark.parametrize("crop", [0, 27])
def test_networks_train_on_images_of_any_size(name, crop, mixed, tmp_path):
    base = get_preset(f"folder/{name}")
    model = base.model.changed(steps=4) if name == "nwm-linear" else base.model
    settings = {"epochs": 1, "epoch_images": 4, "batch": 2, "crop": crop, "augment": "dihedral"}
    config = replace(base, data=str(mixed), model=model, train=replace(base.train, **settings))
    run = train.start(config, tmp_path / "run")
    assert run.config.train.crop == (crop or 16)
    assert math.isfinite(run.rows()[0]["val_loss"])
    labels = dh.load(run.path).segment(torch.rand(1, 1, 23, 41))
    assert labels.shape == (1, 23, 41)


class StopAfter(Progress):
    def __init__(self, steps):
        self.steps = steps

    def tick(self, words, done=None):
        self.steps -= words.startswith("loss")  # not while files are read
        if not self.steps:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("steps", [2, 5])
def test_a_stopped_run_on_crops_resumes_to_the_same_bits(steps, mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LOOK_EVERY", 1)
    monkeypatch.setattr(files, "CACHE", 5000)  # what is in memory and what is not changes nothing
    base = get_preset("folder/nwm-fast")
    settings = {"epochs": 2, "epoch_images": 12, "batch": 4, "crop": 24, "augment": "dihedral", "thin": 4,
                "class_weights": "balanced"}  # fmt: skip
    model = base.model.changed(channels=4, width=8, head=(16,), steps=6)
    config = replace(base, data=str(mixed), model=model, train=replace(base.train, **settings))
    whole = train.start(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train.start(config, tmp_path / "run", StopAfter(steps))
    run = train.resume(tmp_path / "run")
    for name in ("weights.safetensors", "last.ckpt/state.safetensors"):
        a, b = (train_tensors(r.path / name) for r in (whole, run))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)
    drop = ("seconds", "cpu_seconds")
    rows = [[{k: v for k, v in row.items() if k not in drop} for row in r.rows()] for r in (whole, run)]
    assert rows[0] == rows[1]


def train_tensors(path):
    from drumhead.networks.weights import read_safetensors

    return read_safetensors(path)[1]


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        ("tetrominoes", {"crop": 32}, r"train\.crop=32: the images of tetrominoes are of one size"),
        ("folder", {"augment": "wrap"}, "random crops are shifted without a seam"),
        ("folder", {"class_weights": (1.0, 2.0)}, "class_weights has 2 numbers; one for each of 3"),
    ],
)
def test_settings_that_do_nothing_are_refused(task, settings, message, mixed, tmp_path):
    base = get_preset(f"{task}/nwm-fast")
    config = replace(base, data=str(mixed) if task == "folder" else "", train=replace(base.train, limit=4, **settings))
    with pytest.raises(dh.DrumheadError, match=message):
        train.start(config, tmp_path / "run")


# Loss and scores


@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 3.0)])
def test_the_loss_is_that_of_the_pixels_that_count(weights):
    logits, masks = torch.randn(2, 3, 5, 4, dtype=torch.float64), torch.randint(0, 3, (2, 5, 4))
    known = torch.rand(2, 5, 4) < 0.6
    table = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    loss = Loss(table)
    got, weight = loss(logits, torch.where(known, masks, IGNORE))
    p = logits.softmax(1).movedim(1, -1)[known].gather(1, masks[known][:, None])[:, 0]
    w = torch.ones_like(p) if table is None else table[masks[known]]
    torch.testing.assert_close(got, (w * -p.log()).sum() / w.sum(), rtol=1e-12, atol=0)
    torch.testing.assert_close(weight.double(), w.sum())
    nothing, weight = loss(logits.requires_grad_(), torch.full_like(masks, IGNORE))
    nothing.backward()
    assert (nothing.item(), weight.item()) == (0, 0)
    assert (logits.grad == 0).all()
    some = torch.where(known, masks, IGNORE)
    assert torch.autograd.gradcheck(lambda x: loss(x, some)[0], logits.detach().requires_grad_())


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_balanced_classes_weigh_the_same(counts):
    counts = np.array(counts)
    if counts.any():
        weights = class_weights(TrainConfig(class_weights="balanced"), counts, torch.device("cpu")).double().numpy()
        mass = weights * counts
        np.testing.assert_allclose(mass[counts > 0], counts.sum() / (counts > 0).sum(), rtol=1e-6)
        assert (weights[counts == 0] == 0).all()


def test_class_weights_survive_as_settings():
    for value in ("none", "balanced", (1.0, 2.5)):
        config = RunConfig(train=TrainConfig(class_weights=value))
        assert from_dict(RunConfig, json.loads(json.dumps(to_dict(config)))) == config
    for value in ("even", (), (0.0, 0.0), (-1.0, 2.0), (math.nan, 1.0)):
        with pytest.raises(dh.DrumheadError, match=r"train\.class_weights="):
            TrainConfig(class_weights=value)
    with pytest.raises(dh.DrumheadError, match="class_weights = 3 has the wrong type"):
        from_dict(RunConfig, {"train": {"class_weights": 3}})


def test_masks_that_say_nothing_are_refused(mixed, tmp_path, capsys):
    for path in (mixed / "masks").iterdir():
        with Image.open(path) as mask:
            Image.new("L", mask.size, 255).save(path)
    assert call("train", "folder/nwm-stack", "--data", mixed, "--out", tmp_path / "run") == 2
    assert "other masks of its split are ignored at every pixel" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_ignored_counts_in_no_score(rng):
    labels, masks = torch.from_numpy(rng.integers(0, 3, (2, 3, 8, 9)))
    masks[:, :, 5:] = IGNORE
    masks[2] = IGNORE
    scores = []
    for guess in (labels, torch.where(masks == IGNORE, 0, labels), torch.where(masks == IGNORE, 2, labels)):
        metric = Segmentation(3)
        metric.update(guess, masks)
        scores.append(metric.compute())
    assert scores[0] == scores[1] == scores[2]
    metric = Segmentation(3)
    metric.update(labels[:2, :, :5], masks[:2, :, :5])  # the ignored columns cut off
    assert metric.compute() == pytest.approx(scores[0])


# Tiles


@given(st.integers(1, 900), st.integers(4, 20), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_tiles_answer_for_every_pixel_once_and_see_its_margin(size, side, margin):
    side, margin = 16 * side, 16 * min(margin, side // 4)
    answered = np.zeros(size, int)
    for span in spans(size, side, margin):
        answered[span.kept] += 1
        assert span.seen.start % 16 == 0
        assert span.seen.stop - span.seen.start <= side
        assert span.kept.start - span.seen.start >= min(margin, span.kept.start)
        assert span.seen.stop - span.kept.stop >= min(margin, size - span.kept.stop)
        assert span.inside.stop - span.inside.start == span.kept.stop - span.kept.start
    assert (answered == 1).all()


@pytest.mark.parametrize("name", ["nwm-fast", "unet-2", "resnet-2", "cnn-4"])
def test_tiles_answer_as_the_whole_image_does(name):
    config = get_preset(f"folder/{name}").model.changed(image_channels=1)
    if name == "nwm-fast":
        config = config.changed(steps=5, boundary="reflecting")  # a periodic image has no edge of its own
    model = dh.build(config).eval()
    images = torch.rand(1, 1, 530, 187)
    tiles = Tiles(512 if name == "unet-2" else 128, 0)
    margin = margin_of(model, 10_000)
    assert margin <= margin_of(model, tiles.side), "the margin is as wide as the network reaches"
    with torch.no_grad():
        torch.testing.assert_close(answer(model, images, tiles), model(images), rtol=1e-4, atol=1e-5)
        whole = model.courant(images)
        assert largest_courant(model, images, tiles) == (whole if whole is None else pytest.approx(whole, rel=1e-5))


def test_tiles_answer_as_the_whole_image_does_where_a_grid_does_not_divide_it():
    grids = (dh.Bottleneck(kernel_size=3), dh.Bottleneck(kernel_size=3, stride=8))
    model = dh.build(dh.Stack(waves=grids, image_channels=1, classes=3)).double().eval()
    for weight in model.parameters():
        weight.data *= 3
    images = torch.rand(1, 1, 601, 63, dtype=torch.double)
    with torch.no_grad():
        found, whole = answer(model, images, Tiles(256, 0)), model(images)
    assert whole.std() > 0.1
    torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-9)


def test_tiles_that_cannot_be_are_refused():
    assert tiles_of(0) == Tiles()
    assert not Tiles().apart(1024, 1360)
    assert Tiles().apart(3000, 3000)
    assert not tiles_of(512).apart(512, 300)
    for side in (-16, 32, 100):
        with pytest.raises(dh.DrumheadError, match=f"--tile {side}: a multiple of 16 of at least 64"):
            tiles_of(side)


def test_tiles_lie_on_cells_that_are_larger_than_16():
    waves = dh.Layer(stride=32, channels=2, steps=1)
    model = dh.build(dh.Stack(waves=(waves,), image_channels=1, classes=2)).eval()
    images = torch.rand(1, 1, 300, 70)
    with pytest.raises(dh.DrumheadError, match="--tile 80: a multiple of 32 of at least 128 is needed, as"):
        answer(model, images, tiles_of(80))
    rows, columns = zip(*windows(model, 300, 70, tiles_of(128)), strict=True)
    assert all(span.seen.start % 32 == 0 for span in (*rows, *columns))
    assert margin_of(model, 256) % 32 == 0
    with torch.no_grad():
        torch.testing.assert_close(answer(model, images, tiles_of(256)), model(images), rtol=1e-4, atol=1e-5)


def test_a_split_is_measured_in_tiles(rng):
    model = dh.build(get_preset("folder/resnet-2").model.changed(image_channels=1, classes=3)).eval()
    images, masks = rng.integers(0, 256, (2, 150, 90, 1), np.uint8), rng.integers(0, 3, (2, 150, 90), np.uint8)
    split = Split(images, masks, torch.device("cpu"))
    whole, apart = (evaluate(model, split, 3, tiles=tiles) for tiles in (Tiles(), Tiles(64, 0)))
    assert apart == pytest.approx(whole, rel=1e-4)


# The command line


def test_the_data_is_shown(mixed, tmp_path, capsys):
    arguments = ["train", "folder/nwm-fast", "--data", mixed, "--out", tmp_path / "run", "--show-data"]
    assert call(*arguments) == 0
    shown = capsys.readouterr().out
    assert "grey images, crops of 16 x 16 in training" in shown
    for word in ("train", "21 to 50 wide, 19 to 45 high", "nucleus", "ignored", "data.png"):
        assert word in shown
    with Image.open(tmp_path / "run" / "data.png") as picture:
        assert picture.width > 600
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["data.png"]
    assert call(*arguments, "--epochs", 3) == 2
    assert "--show-data would ignore --epochs" in capsys.readouterr().err
    assert call("train", "tetrominoes/nwm-fast", "--show-data") == 2
    assert "--show-data shows your own images" in capsys.readouterr().err


def test_classes_that_no_training_mask_holds_are_named(mixed, tmp_path, capsys):
    said = "warning: no training mask holds {}: were masks written with other values?"
    assert tasks.get("folder", mixed).warning() == ""
    for i in range(8):  # those of training
        mask = np.array(Image.open(mixed / "masks" / f"{i}.png"))
        mask[mask == 2] = 1
        Image.fromarray(mask).save(mixed / "masks" / f"{i}.png")
    assert tasks.get("folder", mixed).warning() == said.format("nucleus")
    for path in (mixed / "masks").iterdir():
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    arguments = ["train", "folder/nwm-fast", "--data", mixed, "--out", tmp_path / "run"]
    assert call(*arguments, "--show-data") == 0
    assert said.format("cell or nucleus") in capsys.readouterr().out
    notes = []
    progress = Progress()
    progress.note = notes.append
    base = get_preset("folder/resnet-2")
    settings = replace(base.train, epochs=1, epoch_images=2, batch=2)
    train.start(replace(base, data=str(mixed), train=settings), tmp_path / "run", progress)
    assert said.format("cell or nucleus") in notes


def test_the_images_of_the_guide_are_a_folder(tmp_path):
    from test_docs import ROOT, script

    task = tasks.get("folder", script(ROOT / "docs" / "guide" / "microscope.py").write(tmp_path, 6, scale=0.3))
    task.check()
    assert task.class_list == ClassList(("background", "cell", "nucleus"), ignored=255)
    assert (sum(task.images("train").classes_in(i) for i in range(4)) > 0).all()


def test_own_images_from_training_to_masks(mixed, tmp_path, capsys):
    run, settings = tmp_path / "run", ["--epochs", 1, "--train.epoch-images", 8, "--train.batch", 4, "--model.steps", 4]
    weights = ["--train.class-weights", 1, 2.5, 3, "--train.crop", 24, "--train.augment", "dihedral"]
    assert call("train", "folder/nwm-fast", "--data", mixed, "--out", run, *settings, *weights) == 0
    config = Run(run).config
    assert config.train.class_weights == (1.0, 2.5, 3.0)
    assert "reading" in capsys.readouterr().out
    assert call("evaluate", run, "--tile", 64) == 0
    (tmp_path / "new").mkdir()
    for name, to in (("images/9.png", "9.png"), ("masks/9.png", "9.mask.png"), ("images/8.bmp", "8.bmp")):
        (tmp_path / "new" / to).write_bytes((mixed / name).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert call("segment", "new", "--model", run, "--out", "found") == 0
        assert call("segment", "new", "--model", run, "--no-pictures", "--tile", 16) == 2
    assert (tmp_path / "found" / "9-mask.png").exists()  # of 16 bits, with its mask and what that ignores
    assert call("evaluate", run, "--tile", 100) == 2
    assert "--tile 100" in capsys.readouterr().err
