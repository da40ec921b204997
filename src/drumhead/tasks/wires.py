"""Wires: two to four smooth curves that do not touch, a dot at one end of one; label the whole wire with the dot.

Every piece of a wire looks like every other, so a pixel learns only from the dot's end, and that news has to come along
the wire. Its length is the distance that a network must bridge; the image grows with it, so that wires lie as densely.

Headings and places are whole numbers (64 directions, 256ths of a pixel), so the images are the same to the bit on every
machine. All images of a split are drawn together, a step of one wire in each at a time.
"""

import functools
import math

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.tasks.task import COUNTS, Arrays

SEED, LENGTH, MOST, TRIES, NEVER = 20261128, 60, 4, 40, 2**15 - 1
CLASSES = ("background", "wire with the dot", "other wire")
GAP = 4  # pixels to each side of a wire's middle that no other wire enters, nor a later part of its own
RECENT = 9  # steps of a wire that its head may still be near to
MARGIN = 4  # pixels to the edge of the image
BEND = 3  # directions that a wire turns by in a step, at most, unless something is in its way
AROUND = (0, 5, -5, 10, -10, 15, -15)  # turns to try then, in this order
_STEPS = np.array([[round(256 * f(2 * math.pi * i / 64)) for f in (math.sin, math.cos)] for i in range(64)])
_NEAR_AT_FIRST = np.array([(y, x) for y in range(-GAP, GAP + 1) for x in range(-GAP, GAP + 1)])
_NEAR = np.array([(y, x) for y, x in _NEAR_AT_FIRST if max(abs(y), abs(x)) == GAP])  # what a step of a pixel adds
_WIDE = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])  # a wire is two pixels wide
_DOT = np.array([(y, x) for y in range(-2, 4) for x in range(-2, 4) if abs(2 * y - 1) + abs(2 * x - 1) < 9])


def side(length: int) -> int:
    """Return the side of an image whose wires are so long: four fill half of it, of long ones, which wind, less."""
    return max(24, 4 * round(math.sqrt(68 * length * (1 + length / 1024)) / 4))


def arrays(split: str, length: int = LENGTH) -> Arrays:
    """Return images uint8 (n, side, side, 1), each pixel 0 or 255, and masks uint8 (n, side, side).

    Args:
        split: "train", "val" or "test".
        length: of a wire along its middle, in pixels, within a sixth; 12 or more.
    """
    if length < 12:
        raise DrumheadError(f"wires: length={length}; at least 12 pixels are needed")
    return _arrays(split, length)


@functools.lru_cache(maxsize=8)
def _arrays(split: str, length: int) -> Arrays:
    random = np.random.default_rng((SEED, list(COUNTS).index(split), length))
    count, edge = COUNTS[split], side(length)
    wires = random.integers(2, MOST + 1, count)
    taken = np.zeros((count, edge, edge), bool)
    trails: list[list[np.ndarray]] = [[] for _ in range(count)]
    for number in range(MOST):
        tries = TRIES if number else 10 * TRIES  # the first one is laid whatever it takes
        _lay(random, taken, np.flatnonzero(wires > number), length, trails, tries)
    masks = np.zeros((count, edge, edge), np.uint8)
    for mask, found in zip(masks, trails, strict=True):
        marked = random.integers(len(found))  # any of them: those laid late had to bend more
        for number, trail in enumerate(found):
            for offset in _WIDE:
                y, x = (trail + offset).T
                mask[y, x] = 1 if number == marked else 2
        y, x = (found[marked][random.integers(2) - 1] + _DOT).T
        mask[y, x] = 1
    images = np.where(masks > 0, np.uint8(255), np.uint8(0))[..., None]
    for array in (images, masks):
        array.setflags(write=False)  # kept and shared
    return images, masks


def _lay(
    random: np.random.Generator, taken: np.ndarray, rows: np.ndarray, length: int, trails: list, tries: int
) -> None:
    """Lay one more wire in each of these images, where it finds room: note its pixels (t, 2) and what it takes."""
    for _ in range(tries):
        if not len(rows):
            return
        steps = random.integers(length - length // 6, length + length // 6 + 1, len(rows))
        walked, near, whole = _walk(random, taken[rows], steps)
        taken[rows[whole]] |= near[whole]
        for i in np.flatnonzero(whole):
            trails[rows[i]].append(walked[i, : steps[i]].astype(np.intp))
        rows = rows[~whole]


def _walk(random: np.random.Generator, taken: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, ...]:
    """Walk at random, away from what is taken and from the walk's own past; what is stuck goes on from its beginning.

    Returns:
        Pixels (n, t, 2) from end to end, those near to them (n, y, x), and whether the walk is as long as asked (n,).
    """
    count, edge = len(taken), taken.shape[1]
    base = np.arange(count) * edge**2
    origin = random.integers(MARGIN << 8, (edge - MARGIN) << 8, (count, 2))
    towards = random.integers(0, 64, count)
    blocked = taken.reshape(-1)
    when = np.full(count * edge**2, NEVER, np.int16)  # where along the walk a pixel was near, the origin is 0
    free = ~blocked[base + (origin[:, 0] >> 8) * edge + (origin[:, 1] >> 8)]
    halves, length = [], np.zeros(count, int)
    for sign in (1, -1):
        place, heading, bend = origin.copy(), (towards + (sign < 0) * 32) % 64, np.zeros(count, int)
        half, own, alive = np.zeros((count, steps.max(), 2), np.int16), np.zeros(count, int), free.copy()
        for t in range(steps.max()):
            pull = random.integers(-3, 4, count)  # to a random side, and back to straight
            bend = np.clip(bend + np.sign(pull) * (np.abs(pull) > 1) - np.sign(bend) * (pull == 0), -BEND, BEND)
            going = np.flatnonzero(alive & (length < steps))
            if not len(going):
                break
            if t or sign > 0:  # the origin is there already
                pixel = place[going] >> 8
                half[going, own[going]] = pixel
                ring = _NEAR if t else _NEAR_AT_FIRST
                near = (base[going] + pixel[:, 0] * edge + pixel[:, 1])[:, None] + (ring[:, 0] * edge + ring[:, 1])
                when[near] = np.where(when[near] == NEVER, sign * t, when[near])
                own[going] += 1
                length[going] += 1
            left = going
            for turn in AROUND:
                toward = (heading[left] + bend[left] + turn) % 64
                ahead = place[left] + _STEPS[toward]
                y, x = (ahead >> 8).T
                at = np.clip(base[left] + y * edge + x, 0, len(when) - 1)
                fits = (np.minimum(y, x) >= MARGIN) & (np.maximum(y, x) < edge - MARGIN) & ~blocked[at]
                fits &= (when[at] == NEVER) | (np.abs(sign * t - when[at]) < RECENT)
                heading[left[fits]], place[left[fits]] = toward[fits], ahead[fits]
                left = left[~fits]
            alive[left] = False
        halves.append((half, own))
    (first, ahead), (second, behind) = halves
    walked = np.zeros((count, steps.max(), 2), np.int16)
    for i in np.flatnonzero(length >= steps):
        walked[i, : steps[i]] = np.concatenate([second[i, : behind[i]][::-1], first[i, : ahead[i]]])
    return walked, when.reshape(taken.shape) < NEVER, length >= steps
