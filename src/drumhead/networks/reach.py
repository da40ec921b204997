"""The theoretical receptive field: which rows and columns of the image a network can see at all. Imports no torch.

Walk from what is read back to the image and widen an interval [low, high] of pixels at each layer:

    convolution of radius r       [low - r, high + r]
    the same with stride s        [s low - r, s high + r]
    pooling of 2                  [2 low, 2 high + 1]
    upsampling by 2               [low // 2, high // 2]
    T steps of a wave             [low - T r, high + T r]

Rows and columns go alike, so the interval squared is a box outside which the gradient is exactly zero. It is the box
of an endless canvas: an edge cuts it, a torus wraps what is left of the wave. Each network walks its own layers:
`Segmenter.reach`.
"""

Interval = tuple[int, int]
EVERYWHERE = 2**40  # grid points to each side that a layer sees if it sees all, and more than an image has


def in_words(radius: int) -> str:
    """Say in a report how many pixels to each side can be seen.

    Example:
        >>> from drumhead.networks.reach import in_words
        >>> in_words(1234), in_words(4 * EVERYWHERE + 5)
        ('1,234', 'all')
    """
    return f"{radius:,}" if radius < EVERYWHERE else "all"


def convolved(rows: Interval, radius: int, stride: int = 1) -> Interval:
    """Return the rows that a convolution needs for these.

    Example:
        >>> from drumhead.networks.reach import convolved
        >>> convolved((10, 10), radius=1, stride=2)
        (19, 21)
    """
    return stride * rows[0] - radius, stride * rows[1] + radius


def unet(rows: Interval, level: int = 0) -> Interval:
    """Return the rows that the decoder of a U-Net with four levels needs for these of its output on a level."""
    if level == 4:
        return _encoder(4, rows)
    low, high = convolved(rows, 2)
    skipped, risen = _encoder(level, (low, high)), unet((low // 2, high // 2), level + 1)
    return min(skipped[0], risen[0]), max(skipped[1], risen[1])


def _encoder(level: int, rows: Interval) -> Interval:
    low, high = convolved(rows, 2)  # two convolutions
    return _encoder(level - 1, (2 * low, 2 * high + 1)) if level else (low, high)
