"""Walks in many images at once: smooth curves that touch neither each other nor themselves.

A walk starts somewhere and goes on to both sides, a pixel a step, until it is as long as asked or stuck. It turns a
little at random, and away from what is in its way. Headings and places are whole numbers (64 directions, 256ths of a
pixel), so walks are the same to the bit on every machine.

The ground says of each pixel whether a walk may enter it: FREE, BLOCKED (by the edge or another walk), or the time at
which this walk came near to it, counted from its origin up to one side and down to the other.
"""

import math
from collections.abc import Callable

import numpy as np

GAP = 4  # pixels to each side of a walk's middle that no other enters, nor a later part of its own
RECENT = 9  # steps of a walk that its head may still be near to
MARGIN = 4  # pixels to the edge of the image
BEND = 3  # directions that a walk turns by in a step, at most, unless something is in its way
FREE, BLOCKED, LONGEST = 2**15 - 1, -(2**14), 2**13  # no time of a walk comes near to the first two
_AROUND = np.array([5, -5, 10, -10, 15, -15])  # turns to try where the way is barred, in this order
_STEP_Y, _STEP_X = (np.array([round(256 * f(2 * math.pi * i / 64)) for i in range(64)]) for f in (math.sin, math.cos))
_SQUARE = np.array([(y, x) for y in range(-GAP, GAP + 1) for x in range(-GAP, GAP + 1)])
_RING = np.array([(y, x) for y, x in _SQUARE if max(abs(y), abs(x)) == GAP])  # what a step of a pixel adds

Trails = list[list[np.ndarray]]  # of each image, the pixels (t, 2) of each walk from end to end


def side(length: int) -> int:
    """Return the side of an image for walks so long: four fill half of it, of long ones, which wind, less.

    Example:
        >>> from drumhead.tasks import walks
        >>> [walks.side(length) for length in (16, 60, 512)]
        [32, 64, 228]
    """
    return max(24, 4 * round(math.sqrt(68 * length * (1 + length / 1024)) / 4))


def lay(random: np.random.Generator, taken: np.ndarray, rows: np.ndarray, trails: Trails, tries: int,
        lengths: Callable[[int], np.ndarray]) -> None:  # fmt: skip
    """Lay one more walk in each of these images, where it finds room.

    Args:
        random: decides everything.
        taken: bool (n, y, x), pixels that no walk may enter; the new ones take theirs and those near to them.
        rows: the images that get one.
        trails: get what is laid.
        tries: how often one that got stuck is begun anew.
        lengths: draws so many lengths, in pixels.
    """
    for _ in range(tries):
        if not len(rows):
            return
        found, near, whole = walk(random, taken[rows], lengths(len(rows)))
        taken[rows[whole]] |= near[whole]
        for row, trail in zip(rows[whole], found, strict=True):
            trails[row].append(trail)
        rows = rows[~whole]


def walk(
    random: np.random.Generator, taken: np.ndarray, lengths: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Walk once in each image, away from what is taken; what gets stuck goes on from its origin to the other side.

    Returns:
        The trails that became as long as asked, the pixels (n, y, x) that are taken or near to a walk, and whether each
        walk became as long as asked (n,).
    """
    count, edge = len(taken), taken.shape[1]
    inside = np.s_[:, MARGIN : edge - MARGIN, MARGIN : edge - MARGIN]
    ground = np.full(taken.shape, BLOCKED, np.int16)
    ground[inside][~taken[inside]] = FREE
    origin = random.integers(MARGIN << 8, (edge - MARGIN) << 8, (count, 2))
    towards = random.integers(0, 64, count)
    (begun,) = np.nonzero(ground[np.arange(count), origin[:, 0] >> 8, origin[:, 1] >> 8] == FREE)
    ahead, behind = (_Half(sign, ground, origin, lengths.max()) for sign in (1, -1))
    ahead.go(random, begun, towards, lengths)
    behind.go(random, begun, towards + 32, lengths - ahead.gone)
    whole = ahead.gone + behind.gone >= lengths
    found = [np.concatenate([behind.trail(i)[::-1], ahead.trail(i)]) for i in map(int, np.flatnonzero(whole))]
    return found, ground < FREE, whole


class _Half:
    """All walks to one side of their origins; `gone` counts the pixels of each, and the origin is the first side's."""

    def __init__(self, sign: int, ground: np.ndarray, origin: np.ndarray, most: int):
        count, self.edge = len(ground), ground.shape[1]
        self.sign, self.most, self.ground = sign, most, ground.reshape(-1)
        self.base = np.arange(count) * self.edge**2
        self.y, self.x = origin[:, 0].copy(), origin[:, 1].copy()
        self.heading, self.gone = np.zeros(count, int), np.zeros(count, int)
        self.pixels = np.zeros((count, most, 2), np.int16)

    def trail(self, i: int) -> np.ndarray:
        """Return the pixels (t, 2) of one walk, away from its origin."""
        return self.pixels[i, : self.gone[i]].astype(np.intp)

    def go(self, random: np.random.Generator, going: np.ndarray, heading: np.ndarray, wanted: np.ndarray) -> None:
        """Go on with these walks until each is as long as wanted or stuck."""
        self.heading, bend = heading % 64, np.zeros(len(heading), int)
        for t in range(self.most):
            pull = random.integers(-3, 4, len(bend))  # to a random side, and back to straight
            bend += np.sign(pull) * (np.abs(pull) > 1) - np.sign(bend) * (pull == 0)
            np.clip(bend, -BEND, BEND, out=bend)
            going = going[self.gone[going] < wanted[going]]
            if not len(going):
                return
            if t or self.sign > 0:
                self._enter(going, t)
            going = self._step(going, bend[going], t)

    def _enter(self, going: np.ndarray, t: int) -> None:
        """Note where the walks are, and what they come near to for the first time."""
        y, x = self.y[going] >> 8, self.x[going] >> 8
        self.pixels[going, self.gone[going]] = np.stack([y, x], 1)
        self.gone[going] += 1
        offsets = (_RING if t else _SQUARE) @ (self.edge, 1)
        near = (self.base[going] + y * self.edge + x)[:, None] + offsets
        self.ground[near[self.ground[near] == FREE]] = self.sign * t

    def _step(self, going: np.ndarray, bend: np.ndarray, t: int) -> np.ndarray:
        """Take a step wherever there is a way, and return who took one."""
        toward = self.heading[going] + bend
        free = self._turn(going, toward, t)
        (barred,) = np.nonzero(~free)
        if len(barred):
            walks, turned = going[barred], toward[barred, None] + _AROUND
            first = self._ahead(walks[:, None], turned, t)[-1].argmax(1)  # of the turns that lead on, if any does
            free[barred] = self._turn(walks, turned[np.arange(len(walks)), first], t)
        return going[free]

    def _turn(self, walks: np.ndarray, toward: np.ndarray, t: int) -> np.ndarray:
        """Turn to these directions and step on where the ground allows it; return where it does."""
        y, x, allowed = self._ahead(walks, toward, t)
        on = walks[allowed]
        self.y[on], self.x[on], self.heading[on] = y[allowed], x[allowed], toward[allowed] % 64
        return allowed

    def _ahead(self, walks: np.ndarray, toward: np.ndarray, t: int) -> tuple[np.ndarray, ...]:
        """Return the places that lie a step in these directions, and whether the walks may enter them."""
        y, x = self.y[walks] + _STEP_Y[toward % 64], self.x[walks] + _STEP_X[toward % 64]
        there = self.ground[self.base[walks] + (y >> 8) * self.edge + (x >> 8)]
        return y, x, (there == FREE) | (np.abs(self.sign * t - there) < RECENT)
