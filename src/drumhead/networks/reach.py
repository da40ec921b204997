"""The theoretical receptive field: which rows and columns of the image a network can see at all. Imports no torch.

Walk from what is read back to the image and widen an interval [low, high] of pixels at each layer:

    convolution of radius r       [low - r, high + r]
    the same with stride s        [s low - r, s high + r]
    pooling of 2                  [2 low, 2 high + 1]
    upsampling by 2               [low // 2, high // 2]
    T steps of a wave             [low - T r, high + T r]

Rows and columns go alike, so the interval squared is a box outside which the gradient is exactly zero. It is the box
of an endless canvas: an edge cuts it, a torus wraps what is left of the wave.
"""

from drumhead.errors import DrumheadError
from drumhead.settings.config import ModelConfig

Interval = tuple[int, int]


def reach(config: ModelConfig, pixel: int, steps: int | None = None) -> Interval:
    """Return the first and last row that what a network says at row `pixel` can depend on.

    Args:
        config: the network.
        pixel: a row (or column) of the image.
        steps: time steps T >= 0 of a network with waves or a state; its own number by default.

    Returns:
        (low, high), both included; they may lie beyond the image.

    Raises:
        DrumheadError: a number of steps below 0.

    Example:
        >>> reach(dh.ModelConfig(steps=100), 64)  # an encoder of radius 4 and a pixel a step
        (-40, 168)
    """
    steps = config.steps if steps is None else steps
    if steps < 0:
        raise DrumheadError(f"steps={steps}: 0 or more are needed")
    if config.family in ("cnn", "resnet"):
        return pixel - config.depth, pixel + config.depth
    if config.family == "unet":
        return _decoder(0, (pixel, pixel))
    cell = pixel // config.stride
    moved = steps * per_step(config)
    low, high = cell - moved, cell + moved
    if config.encoder == "separate":
        return low - 4, high + 4  # the network of the start has depth 4, the others 3
    # The stem's three convolutions, the last first; the one in the middle has the stride.
    return config.stride * (low - 1) - 2, config.stride * (high + 1) + 2


def radius(config: ModelConfig, steps: int | None = None) -> int:
    """Return the half side of that box in pixels, at an even row: the farthest of its two ends."""
    low, high = reach(config, 0, steps)
    return max(-low, high)


def per_step(config: ModelConfig) -> int:
    """Return how many cells a step can carry anything: the kernel's radius, twice that for a GRU, 0 without one."""
    if config.coupling == "none" and config.family == "nwm":
        return 0
    # The GRU's candidate convolves r h, and r at a neighbour has itself convolved h.
    return config.kernel_size // 2 * (2 if config.family == "gru" else 1)


def _encoder(level: int, rows: Interval) -> Interval:
    low, high = rows[0] - 2, rows[1] + 2  # two convolutions
    return _encoder(level - 1, (2 * low, 2 * high + 1)) if level else (low, high)


def _decoder(level: int, rows: Interval) -> Interval:
    if level == 4:
        return _encoder(4, rows)
    low, high = rows[0] - 2, rows[1] + 2
    skipped, risen = _encoder(level, (low, high)), _decoder(level + 1, (low // 2, high // 2))
    return min(skipped[0], risen[0]), max(skipped[1], risen[1])
