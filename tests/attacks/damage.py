"""Damage that files of every kind come to: cut short, bits turned, pieces put elsewhere, numbers that lie."""

from random import Random

EDGES = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)


def bytes_of(random: Random, most: int) -> bytes:
    """Return random bytes, up to `most`."""
    return random.randbytes(random.randint(0, most))


def cut(random: Random, data: bytes) -> bytes:
    """Return a beginning."""
    return data[: random.randrange(len(data) + 1)]


def turn(random: Random, data: bytes) -> bytes:
    """Turn some bits, most often in the first bytes, where headers are."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64)) if out else 0):
        end = min(len(out), random.choice((32, 128, 1024, len(out))))
        out[random.randrange(end)] ^= 1 << random.randrange(8)
    return bytes(out)


def splice(random: Random, data: bytes) -> bytes:
    """Copy, drop or put in a piece."""
    a, b, c = sorted(random.randrange(len(data) + 1) for _ in range(3))
    return random.choice(
        (
            data[:a] + data[b:],
            data[:b] + data[a:],
            data[:a] + bytes_of(random, 64) + data[b:],
            data[:a] + data[b:c] + data[a:b] + data[c:],
        )
    )


def lie(random: Random, data: bytes) -> bytes:
    """Overwrite a number by one at the edge of its type."""
    width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    end = min(len(data), random.choice((64, 256, len(data))))
    if end < width:
        return data
    at = random.randrange(end - width + 1)
    value = random.choice(EDGES) % 256**width
    return data[:at] + value.to_bytes(width, order) + data[at + width :]


def damaged(random: Random, data: bytes) -> bytes:
    """Return data with one or two kinds of damage, and now and then whole."""
    for _ in range(random.choice((0, 1, 1, 1, 1, 2))):
        data = random.choice((cut, turn, turn, splice, lie, lie))(random, data)
    return data
