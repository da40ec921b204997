"""Data sets: the published bits, and clear words about files that are not right."""

import gzip
import hashlib
import struct
import threading
import zlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from conftest import needs_mnist
from drumhead import DrumheadError, tasks
from drumhead.read.classes import ClassList
from drumhead.read.images import look, read_image
from drumhead.read.masks import read_mask
from drumhead.tasks import cache, idx, mnist, multi_mnist, polygons, tetrominoes


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def test_tetrominoes_are_the_published_bits():
    task = tasks.get("tetrominoes")
    images, masks = task.arrays("train")
    assert (digest(images), digest(masks)) == ("540a65896f6a4a28", "239fd1a5219ecadb")
    images, masks = task.arrays("test")
    assert images.shape == (1000, 64, 64, 3)
    assert (masks == 0).mean() == pytest.approx(0.855583984375, abs=1e-12)
    fractions = np.bincount(masks.ravel(), minlength=6) / masks.size
    np.testing.assert_allclose(fractions[1:], [0.02833, 0.02957, 0.02833, 0.02900, 0.02919], atol=5e-6)


@pytest.mark.parametrize(("side", "cell", "most"), [(32, 7, 1), (64, 7, 5), (96, 7, 11), (64, 5, 10)])
def test_tetrominoes_of_other_sizes_are_whole_pieces_as_dense_as_the_published(side, cell, most):
    images, masks = tetrominoes.drawn(40, side, cell, seed=3)
    assert images.shape == (40, side, side, 3)
    assert not masks[:, -1].any()  # as in the published ones
    sizes = (masks > 0).sum((1, 2))
    assert (sizes % (4 * cell**2) == 0).all()
    assert 1 <= sizes.min() // (4 * cell**2) <= sizes.max() // (4 * cell**2) <= most
    assert sizes.max() // (4 * cell**2) >= 0.8 * most
    for label in range(1, 6):  # of every kind: whole pieces
        assert not ((masks == label).sum((1, 2)) % (4 * cell**2)).any()
    assert (tetrominoes.drawn(40, side, cell, seed=3)[0] == images).all()
    assert (tetrominoes.drawn(40, side, cell, seed=4)[0] != images).any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"side": 28}, "side=28: pieces of cells of 7 pixels need a side of 29"),
        ({"cell": 2}, "cell=2: a whole number of at least 3"),
        ({"count": 0}, "count=0"),
    ],
)
def test_tetrominoes_need_room(given, message):
    with pytest.raises(DrumheadError, match=message):
        tetrominoes.drawn(**{"count": 1, **given})


@needs_mnist
def test_mnist_is_the_published_split():
    order = mnist.permutation(60_000, seed=42)
    assert order[:5].tolist() == [37542, 43087, 2992, 25810, 39634]
    assert order[51_000:51_005].tolist() == [24161, 50189, 26739, 43064, 59759]
    images, masks = tasks.get("mnist").arrays("test")
    assert images.shape == (10_000, 56, 56, 1)
    assert (masks == 0).mean() == pytest.approx(0.867376, abs=5e-7)
    assert (masks > 0).sum((1, 2)).min() == 60


@needs_mnist
def test_multi_mnist_is_the_published_bits():
    task = tasks.get("multi-mnist")
    images, masks = task.arrays("train")
    assert digest(masks) == "c72b05e85dadb279"
    assert ((images[..., 0] == 255) == (masks > 0)).all()
    assert (task.arrays("test")[1] == 0).mean() == pytest.approx(0.95198193359375, abs=1e-12)


def test_unseen_multi_mnist_keeps_the_digits_apart(monkeypatch):
    kept = multi_mnist.VALIDATION
    parts = {"train": np.repeat([1, 2], [100, kept]), "t10k": np.full(50, 3)}
    known = {part: (np.full((len(labels), 28, 28), 255, "u1"), labels) for part, labels in parts.items()}
    monkeypatch.setattr(multi_mnist, "COUNTS", {"train": 20, "val": 20, "test": 20})

    def make(unseen):  # not the kept ones
        return {split: set(np.unique(masks)) for split, masks in
                zip(multi_mnist.COUNTS, multi_mnist._generate(known, unseen), strict=True)}  # fmt: skip

    labels = make(unseen=True)
    assert labels == {"train": {0, 2}, "val": {0, 3}, "test": {0, 4}}
    mixed = make(unseen=False)
    assert 4 not in mixed["test"]  # as published


@needs_mnist
def test_unseen_multi_mnist_is_made_of_mnist():
    images, masks = tasks.get("multi-mnist-unseen").arrays("test")
    assert images.shape == (1000, 128, 128, 1)
    assert set(np.unique(masks)) == set(range(11))
    assert (masks != tasks.get("multi-mnist").arrays("test")[1]).any()


def test_enlarging_equals_torch(rng):
    import torch

    # Ties at exactly one half decide masks, and need the same rounding, so levels that make many of them.
    images = rng.choice([0, 17, 85, 119, 136, 170, 255], (400, 28, 28)).astype(np.float32) / 255
    expected = torch.nn.functional.interpolate(torch.from_numpy(images)[:, None], scale_factor=2, mode="bilinear")
    expected = expected.numpy()[:, 0]
    assert (np.abs(expected - 0.5) < 1e-6).sum() > 100
    np.testing.assert_allclose(mnist.enlarge(images), expected, atol=1e-7)
    assert ((mnist.enlarge(images) > 0.5) != (expected > 0.5)).sum() == 0


def test_polygons_are_where_they_should_be():
    images, masks = tasks.get("polygons").arrays("test")
    again = tasks.get("polygons").arrays("test")[1]
    assert (masks == again).all()
    assert images.shape == (1000, 75, 75, 1)
    assert set(np.unique(masks)) == {0, 1, 2, 3, 4}
    present = [(masks == label).any((1, 2)).mean() for label in range(1, 5)]
    assert min(present) > 0.25
    assert max(present) < 0.45
    masks[:] = 0  # what a caller does to its arrays stays there
    assert (tasks.get("polygons").arrays("test")[1] == again).all()


def test_turned_polygons_are_the_same_shapes_at_other_angles():
    masks = tasks.get("polygons-turned").arrays("test")[1]
    assert set(np.unique(masks)) == {0, 1, 2, 3, 4}
    plain = tasks.get("polygons").arrays("test")[1]
    assert 1.2 < (masks > 0).mean() / (plain > 0).mean() < 1.4  # 2 instead of 1.5 on average, some without a place

    # A square that lies on its corner fills half of its bounding box; turned ones fill up to all of it.
    def filled(mask):
        y, x = np.nonzero(mask)
        return len(y) / np.ptp(y) / np.ptp(x)

    squares = [mask for mask in plain if (mask == 2).any() and len(np.unique(mask)) == 2 and (mask > 0).sum() < 700]
    assert max(map(filled, squares[:30])) < 0.65
    turned = [mask for mask in masks if (mask == 2).any() and len(np.unique(mask)) == 2 and (mask > 0).sum() < 700]
    assert max(map(filled, turned)) > 0.85
    with pytest.raises(DrumheadError, match="1 to 6"):
        polygons.arrays("test", most=7)


@pytest.fixture
def digits(tmp_path):
    """Write a tiny data set in MNIST's format."""

    def write(place=tmp_path, count=6, compress=True):
        place.mkdir(exist_ok=True)
        random = np.random.default_rng(0)
        for part in ("train", "t10k"):
            images, labels = (
                random.integers(0, 256, (count, 28, 28), np.uint8),
                np.arange(count, dtype=np.uint8),
            )
            for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
                header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
                content = header + array.tobytes()
                path = place / (f"{name}.gz" if compress else name)
                path.write_bytes(gzip.compress(content) if compress else content)
        return place

    return write


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files_are_read(digits, compress, monkeypatch, tmp_path):
    place = digits(tmp_path / "mnist", compress=compress)
    images, labels = idx.load("t10k", place)
    assert images.shape == (6, 28, 28)
    assert labels.tolist() == list(range(6))
    monkeypatch.setenv("DRUMHEAD_DATA", str(tmp_path))
    assert idx.find() == place


def test_nothing_is_searched_that_lies_beside_where_a_user_stands(digits, monkeypatch, tmp_path):
    (tmp_path / "shared" / "data").mkdir(parents=True)
    digits(tmp_path / "shared" / "data" / "mnist")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("DRUMHEAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert idx.find() is None


def test_damaged_idx_files_are_named(digits):
    place = digits()
    path = place / "t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(DrumheadError, match=r"t10k-images-idx3-ubyte\.gz cannot be read"):
        idx.load("t10k", place)
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-10]))
    with pytest.raises(DrumheadError, match="is truncated or too long"):
        idx.load("t10k", place)
    path.write_bytes(gzip.compress(b"hello, I am not IDX"))
    with pytest.raises(DrumheadError, match="is not an IDX file"):
        idx.load("t10k", place)
    path.unlink()
    with pytest.raises(DrumheadError, match="lacks MNIST's IDX files"):
        idx.load("t10k", place)
    for name in ("mnist", "multi-mnist"):  # a wrong place is never replaced by another
        with pytest.raises(DrumheadError, match="lacks MNIST's IDX files"):
            tasks.get(name, place).arrays("test")


@pytest.mark.parametrize("make", [mnist.arrays, multi_mnist.arrays, polygons.arrays, tetrominoes.arrays])
def test_every_task_knows_its_splits(make):
    with pytest.raises(DrumheadError, match="split='vla' is not known; choose one of 'train', 'val', 'test'"):
        make("vla")


def test_drawn_images_are_named_after_how_many_there_are(tmp_path, monkeypatch):
    assert "COUNTS" in cache.SHARED.read_text()
    monkeypatch.setattr(cache, "SHARED", tmp_path / "task.py")
    found = set()
    for counts in ("COUNTS = 1", "COUNTS = 2"):
        cache.SHARED.write_text(counts)
        cache._digest.cache_clear()
        found.add(cache._digest(()))
    cache._digest.cache_clear()
    assert len(found) == 2


def test_a_short_mnist_is_refused(digits):
    with pytest.raises(DrumheadError, match="60,000 training digits, these files 6"):
        tasks.get("mnist", digits()).arrays("train")


@pytest.fixture
def server(tmp_path):
    """Serve a directory on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    root = tmp_path / "served"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def test_download_checks_what_it_gets(server, digits, tmp_path, monkeypatch):
    root, url = server
    digits(root)
    to = tmp_path / "cache"
    with pytest.raises(DrumheadError, match="has the checksum"):
        idx.download(to, url)
    assert not to.exists() or not list(to.iterdir())  # nothing half-written

    sums = {n: hashlib.sha256(gzip.decompress((root / f"{n}.gz").read_bytes())).hexdigest() for n in idx.SHA256}
    monkeypatch.setattr(idx, "SHA256", sums)
    assert idx.load("train", idx.download(to, url))[0].shape == (6, 28, 28)
    cut_short = SimpleHTTPRequestHandler.copyfile
    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", lambda self, source, out: out.write(source.read(100)))
    with pytest.raises(DrumheadError, match="could not be downloaded"):
        idx.download(tmp_path / "short", url)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", cut_short)
    (tmp_path / "file").touch()
    with pytest.raises(DrumheadError, match=r"cannot be kept in .*set XDG_CACHE_HOME to a directory .*DRUMHEAD_DATA"):
        idx.download(tmp_path / "file" / "mnist", url)
    (root / "train-images-idx3-ubyte.gz").unlink()
    idx.download(to, url)  # all there: nothing is fetched again
    with pytest.raises(DrumheadError, match=r"could not be downloaded .*set DRUMHEAD_DATA"):
        idx.download(tmp_path / "other", url)


def write_folder(root, count=12, size=(10, 8), label=1, mode="RGB"):
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("background\ncell\nnucleus\n")
    random = np.random.default_rng(0)
    for i in range(count):
        channels = (3,) if mode == "RGB" else ()
        Image.fromarray(random.integers(0, 256, (*size, *channels), np.uint8)).save(root / "images" / f"{i:03d}.png")
        mask = np.zeros(size, np.uint8)
        mask[2:5, 2:5] = label
        Image.fromarray(mask).save(root / "masks" / f"{i:03d}.png")
    return root


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_folder_is_a_task(tmp_path, mode):
    task = tasks.get("folder", write_folder(tmp_path, mode=mode))
    assert task.classes == ("background", "cell", "nucleus")
    assert task.image_channels == (3 if mode == "RGB" else 1)
    sizes = {split: len(task.arrays(split)[0]) for split in tasks.SPLITS}
    assert sizes == {"train": 10, "val": 1, "test": 1}
    images, masks = task.arrays("train")
    assert images.shape == (10, 10, 8, task.image_channels)
    assert masks[0, 3, 3] == 1


def test_a_folder_may_fix_its_splits(tmp_path):
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        write_folder(tmp_path / split, count)
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    task = tasks.get("folder", tmp_path)
    assert [len(task.arrays(split)[0]) for split in tasks.SPLITS] == [4, 2, 1]


def deepen(path):
    """Make of an 8-bit PNG in colour one of 16 bits: each byte twice."""
    pixels = np.repeat(np.asarray(Image.open(path)), 2, axis=-1)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
              for kind, data in parts)  # fmt: skip
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _break(how):
    def apply(root):
        if how == "no mask":
            (root / "masks" / "003.png").unlink()
        elif how == "size":
            Image.new("RGB", (9, 9)).save(root / "images" / "003.png")
        elif how == "label":
            Image.new("L", (8, 10), 255).save(root / "masks" / "003.png")
        elif how == "colour mask":
            Image.new("RGB", (8, 10), "red").save(root / "masks" / "003.png")
        elif how == "16 bits":
            Image.new("RGB", (8, 10)).save(root / "images" / "003.png")
            deepen(root / "images" / "003.png")
        elif how == "not an image":
            (root / "images" / "003.png").write_bytes(b"text")
        elif how == "truncated":
            path = root / "images" / "003.png"
            path.write_bytes(path.read_bytes()[:80])
        elif how == "frames":
            one = Image.new("RGB", (8, 10))
            one.save(root / "images" / "003.png", save_all=True, append_images=[Image.new("RGB", (8, 10), "red")])
        elif how == "two of one name":
            Image.new("RGB", (8, 10)).save(root / "images" / "003.JPG")
        elif how == "no image":
            (root / "images" / "003.png").rename(root / "images" / "003.heic")
        elif how == "splits and images":
            (root / "test").mkdir()
        elif how == "a loop":
            (root / "images" / "003.png").unlink()
            (root / "images" / "003.png").symlink_to("003.png")
        elif how == "classes":
            (root / "classes.txt").unlink()
        elif how == "one class":
            (root / "classes.txt").write_text("background\n")
        elif how == "empty":
            for path in (root / "images").iterdir():
                path.unlink()

    return apply


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no mask", "003.png has no mask"),
        ("size", "003.png is 9 x 9 pixels, its mask 8 x 10"),
        ("label", "has the label 255; there are 3 classes"),
        ("colour mask", "has the mode RGB"),
        ("not an image", "not a readable image"),
        ("truncated", "003.png is not a readable image"),
        ("a loop", "003.png is not a readable image"),
        ("frames", "003.png holds 2 images"),
        ("two of one name", "003.JPG and .*003.png would have the same mask"),
        ("no image", "masks/003.png has no image in"),
        ("splits and images", "holds test; either all of train, val, test are needed"),
        ("16 bits", "more than 8 bits a colour"),
        ("classes", "classes.txt is missing"),
        ("one class", "names 1 class;"),
        ("empty", "holds no images"),
    ],
)
def test_a_wrong_folder_is_explained(tmp_path, how, message):
    write_folder(tmp_path)
    _break(how)(tmp_path)
    with pytest.raises(DrumheadError, match=message):
        tasks.get("folder", tmp_path).arrays("train")


def test_unknown_names_are_explained():
    with pytest.raises(DrumheadError, match="task='cifar' is not known; choose one of 'tetrominoes'"):
        tasks.get("cifar")
    with pytest.raises(DrumheadError, match="split='dev'"):
        tasks.get("tetrominoes").arrays("dev")
    with pytest.raises(DrumheadError, match="needs its directory"):
        tasks.get("folder")
    with pytest.raises(DrumheadError, match="is not a directory"):
        tasks.get("folder", "/nowhere")


def test_images_are_turned_upright(tmp_path):
    turned = Image.Exif()
    turned[274] = 6  # to be shown turned right by 90 degrees
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    expected = np.rot90(np.asarray(picture), -1)
    for name in ("a.png", "a.tif"):
        picture.save(tmp_path / name, exif=turned)
        np.testing.assert_array_equal(read_image(tmp_path / name, 1)[..., 0], expected)
        np.testing.assert_array_equal(read_mask(tmp_path / name, ClassList(tuple(map(str, range(48))))), expected)
        assert look(tmp_path / name) == (expected.shape, True)


def palette(labels, *colours):
    mask = Image.fromarray(labels).convert("P")
    mask.putdata(labels.ravel().tolist())
    mask.putpalette([number for colour in colours for number in colour])
    return mask


def test_masks_that_disagree_on_colours_are_refused(tmp_path):
    black, red, green = (0, 0, 0), (128, 0, 0), (0, 128, 0)
    labels = np.zeros((10, 8), np.uint8)
    labels[2:5, 2:5] = 1
    write_folder(tmp_path)
    for path in (tmp_path / "masks").iterdir():
        palette(labels, black, red, green).save(path)
    palette(labels, black, red).save(tmp_path / "masks" / "002.png")  # colours that do not occur may be missing
    assert len(tasks.get("folder", tmp_path).arrays("train")[0]) == 10
    for other in (palette(1 - labels, red, black), Image.fromarray(labels)):
        other.save(tmp_path / "masks" / "009.png")  # the tests' only mask
        task = tasks.get("folder", tmp_path)
        task.arrays("train")
        with pytest.raises(DrumheadError, match=r"009\.png shows label . in the colour .*000\.png in .*one palette"):
            task.arrays("test")
    grey = [(level,) * 3 for level in range(3)]
    for path in (tmp_path / "masks").iterdir():
        Image.fromarray(labels).save(path)
    palette(labels, *grey).save(tmp_path / "masks" / "004.png")  # a palette that shows each label as its grey level
    assert tasks.get("folder", tmp_path).arrays("train")[1].max() == 1


@pytest.mark.parametrize("grey", ["000", "009"])
def test_one_grey_image_among_colour_ones_is_expanded(tmp_path, grey):
    write_folder(tmp_path)
    before = {split: tasks.get("folder", tmp_path).arrays(split)[0] for split in tasks.SPLITS}
    Image.fromarray(np.full((10, 8), 7, np.uint8)).save(tmp_path / "images" / f"{grey}.png")
    task = tasks.get("folder", tmp_path)
    assert task.image_channels == 3
    after = {split: task.arrays(split)[0] for split in tasks.SPLITS}
    same = {split: [(a == b).all() for a, b in zip(before[split], after[split], strict=True)] for split in before}
    assert sum(equal.count(False) for equal in same.values()) == 1
    split = "train" if grey == "000" else "test"
    assert (after[split][same[split].index(False)] == 7).all()


def test_hidden_files_are_no_images(tmp_path):
    write_folder(tmp_path)
    for name in ("images/._003.png", "images/.DS_Store", "images/Thumbs.db", "masks/._003.png"):
        (tmp_path / name).write_bytes(b"no image")
    assert len(tasks.get("folder", tmp_path).arrays("train")[0]) == 10


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"\xef\xbb\xbfbackground \r\n cell\r\nnucleus\r\n\r\n", None),
        (b"background\n\ncell\nnucleus\n", "line 2 is blank"),
        (b"background\ncell\nnucleus\ncell\n", "line 4 names 'cell' again"),
        ("background\ncell\nnucleus\n".encode("utf-16"), "not text"),
    ],
)
def test_a_class_list_names_each_label_once(tmp_path, content, answer):
    (write_folder(tmp_path) / "classes.txt").write_bytes(content)
    if answer is None:
        assert tasks.get("folder", tmp_path).classes == ("background", "cell", "nucleus")
        return
    with pytest.raises(DrumheadError, match=answer):
        tasks.get("folder", tmp_path)


def test_labels_that_are_no_digits_are_refused(digits):
    place = digits(count=16)
    with pytest.raises(DrumheadError, match=r"t10k-labels-idx1-ubyte\.gz has the label 15"):
        tasks.get("mnist", place).arrays("test")


@pytest.mark.parametrize("name", ["tetrominoes", "polygons", "polygons-turned"])
def test_a_directory_that_a_task_does_not_take_is_refused(name, tmp_path):
    with pytest.raises(DrumheadError, match=f"task {name} makes its images and takes no directory"):
        tasks.get(name, tmp_path)
