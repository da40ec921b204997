"""Weights: header lengths and offsets that lie, other types and shapes, hostile configs inside, and pickles renamed."""

import functools
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from attacks import Attack
from attacks.configs import changed
from attacks.damage import EDGES, bytes_of, damaged
from attacks.recordings import Bomb

TYPES = ("F32", "F32", "F16", "BF16", "F64", "I64", "I8", "U8", "BOOL", "F8_E4M3", "C64", "X", "U64")
CLI = 40


@functools.cache
def bases() -> tuple[bytes, ...]:
    """Return right weights of small networks of several families."""
    import torch
    from safetensors.torch import save

    import drumhead as dh
    from drumhead.settings.text import to_dict

    torch.manual_seed(0)
    small = (
        dh.NWM(waves=(dh.Waves(channels=1, steps=4),), width=2, head=(3,), classes=2, image_channels=1),
        dh.Stack(waves=(dh.Layer(channels=2, steps=3), dh.Modes(channels=2)), width=4, fine=2, head=(3,), classes=2),
        dh.Recurrent(channels=2, steps=3, width=2, head=(3,), classes=2),
        dh.UNet(width=2, classes=2),
        dh.CNN(width=2, depth=2, head=(3,), classes=2),
    )
    return tuple(
        save(dh.build(one).state_dict(), {"format": "drumhead", "model": json.dumps(to_dict(one)), "task": "wires"})
        for one in small
    )


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the numbers of a file."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def whole(header: Any, body: bytes, length: int | None = None) -> bytes:
    """Return the bytes of a file."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length % 2**64) + text + body


def file(random: Random) -> bytes:
    """Return weights that may be right."""
    data = random.choice(bases())
    kind = random.randrange(20)
    if kind == 0:
        return bytes_of(random, 300)
    if kind == 1:
        return renamed()[random.randrange(2)]
    if kind < 7:
        return damaged(random, data)
    header, body = parts(data)
    if kind < 12:
        return whole(_hostile(random, header), body)
    if kind == 12:
        return whole(header, body, random.choice((*EDGES, len(data), 100_000_001)))
    name = random.choice([key for key in header if key != "__metadata__"])
    entry = dict(header[name])
    if kind == 13:
        entry["dtype"] = random.choice(TYPES)
    elif kind == 14:
        entry["shape"] = random.choice(
            ([], [0], [2**40, 2**40], [-1], [1.5], entry["shape"][::-1], [*entry["shape"], 1], [2**63])
        )
    elif kind == 15:
        entry["data_offsets"] = [random.choice((0, 4, len(body), *EDGES)) for _ in range(random.choice((2, 2, 1, 3)))]
    elif kind == 16:  # numbers that are none
        start, stop = entry["data_offsets"]
        body = body[:start] + random.choice((b"\xff", b"\x7f", b"\x80")) * (stop - start) + body[stop:]
    elif kind == 17:
        return whole({key: value for key, value in header.items() if key != name}, body)
    elif kind == 18:
        header["extra" if random.randrange(2) else name + "\u202e"] = entry
    else:
        header["__metadata__"] = random.choice(
            (None, [], {"model": 3}, {"format": "drumhead"}, {**header["__metadata__"], "classes": "x\n" * 999})
        )
    return whole(header | {name: entry}, body)


def _hostile(random: Random, header: dict[str, Any]) -> dict[str, Any]:
    """Return a header whose config is another one."""
    metadata = header["__metadata__"]
    config = json.loads(metadata["model"])
    for _ in range(random.choice((1, 1, 2, 3))):
        config = changed(random, config)
    text = json.dumps(config)
    if random.randrange(20) == 0:
        text = random.choice(
            ("[" * 100_000, '{"a":' * 5000, "9" * 5000, "null", "{}", text[:-1], '{"family": ["nwm"]}')
        )
    return {**header, "__metadata__": {**metadata, "model": text}}


@functools.cache
def renamed() -> tuple[bytes, bytes]:
    """Return a pickle, and a zip as torch.save writes it, whose pickle runs something."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"classifier.cell.Wy.weight": Bomb()}, 2))
        file.writestr("archive/version", "3\n")
        file.writestr("archive/byteorder", "little")
    return pickle.dumps({"classifier.cell.Wy.weight": Bomb()}, 2), content.getvalue()


@functools.cache
def published() -> bytes:
    """Return a state dict as the paper's code saves it."""
    import torch

    content = io.BytesIO()
    torch.save(
        {"classifier.cell.Wy.weight": torch.zeros(1, 1, 3, 3), "classifier.fc_time.weight": torch.zeros(3, 4)}, content
    )
    return content.getvalue()


def attack(random: Random, folder: Path) -> Attack:
    """Return weights and what loads them."""
    import torch

    import drumhead as dh
    from drumhead import cli

    if random.randrange(12) == 0:
        path = folder / "in" / "cp.pt"
        path.write_bytes(damaged(random, random.choice((published(), *renamed()))))
        return Attack(lambda: dh.load(path, format="published"), ("cp.pt",))
    path = folder / "in" / "weights.safetensors"
    path.write_bytes(file(random))
    if random.randrange(CLI) == 0:
        image = folder / "in" / "a.png"
        image.write_bytes(_image())
        return Attack(
            lambda: cli.main(["segment", str(image), "--model", str(path), "--no-pictures"]),
            (path.name, "a.png", "network"),
        )

    def load() -> None:
        model = dh.load(path)
        with torch.no_grad():
            assert model.segment(torch.rand(1, model.config.image_channels, 16, 16)).shape == (1, 16, 16)

    return Attack(load, (path.name,))


@functools.cache
def _image() -> bytes:
    from attacks.masks import grey

    return grey("L", (16, 16), 200)
