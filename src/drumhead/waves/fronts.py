"""How far from its source a wave has come, and how fast its front runs. NumPy only."""

import numpy as np


def from_middle(shape: tuple[int, ...]) -> np.ndarray:
    """Return each pixel's distance from the pixel (height // 2, width // 2)."""
    height, width = shape
    return np.hypot(np.arange(height)[:, None] - height // 2, np.arange(width)[None, :] - width // 2)


def rings(waves: np.ndarray) -> np.ndarray:
    """Return the loudness (t, distance) of waves (t, c, y, x): rms over channels and the ring of each distance.

    Distances are rounded to whole pixels and end at the nearer edge.
    """
    ring = np.rint(from_middle(waves.shape[-2:])).astype(int)
    power = (np.asarray(waves, np.float64) ** 2).mean(1).reshape(len(waves), -1)
    last = min(waves.shape[-2:]) // 2
    return np.sqrt(np.stack([power[:, ring.ravel() == d].mean(1) for d in range(last)], 1))


def front(loudness: np.ndarray, dt: float, level: float | None = None, nearest: int = 3,
          floor: float = 1e-9) -> tuple[float, np.ndarray] | None:  # fmt: skip
    """Measure the speed of a front: the slope of distance against the time of arrival.

    A ring is reached when its loudness first passes half of its own largest. Only rings count whose largest exceeds
    `floor` of the loudest and comes before the end, so that a ring that is still rising is not taken for reached; a
    medium that amplifies has none. With a `level`, a ring is reached when it first passes this share of the loudest
    of all: a contour, which a damped or cut-off wave draws more slowly than its front runs.

    Args:
        loudness: (t, distance), as `rings` returns it; row i is the time (i + 1) dt.
        dt: the step.
        level: see above.
        nearest: the first distance to use.
        floor: see above.

    Returns:
        The speed in pixels per unit time and the arrival time of each distance (NaN where none), or None when fewer
        than four rings were reached.
    """
    arrival = np.full(loudness.shape[1], np.nan)
    for d in range(nearest, loudness.shape[1]):
        heard, top = loudness[:, d], loudness[:, d].max()
        mark = top / 2 if level is None else level * loudness.max()
        if top <= max(floor * loudness.max(), 0.0 if level is None else mark):
            continue
        if level is None and heard.argmax() >= len(heard) - 1:
            continue
        i = int((heard >= mark).argmax())
        before = heard[i - 1] if i else 0.0
        arrival[d] = dt * (i + (mark - before) / (heard[i] - before))
    known = np.flatnonzero(np.isfinite(arrival))
    if len(known) < 4 or np.ptp(arrival[known]) == 0:
        return None
    slowness = np.polyfit(known, arrival[known], 1)[0]  # time against distance: the noise is in the time
    return (float(1 / slowness), arrival) if slowness > 0 else None
