"""What a recording may be before anybody looks for waves: silent or loud sites, sites filled in from others, mains hum.

    silent, loud    the root mean square of a site, as recorded and in the band, beside the median of all
    filled in       neighbours whose samples are equal more often than differences near zero let them be
    mains           a line at 50 or 60 Hz or a multiple: within 0.5 Hz far more power than 1 to 4 Hz away

None is left out by itself: whoever recorded knows more.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

from drumhead.waves.fields import good, rate
from drumhead.waves.neighbours import edges

if TYPE_CHECKING:
    from xarray import DataArray

SILENT = 1e-6  # of the loudest site
LOUD, QUIET = 4.0, 0.1  # times the median of all sites
ODD = 5.0  # standard deviations (by the median of deviations) that such a site is away as well
EQUAL, OFTEN = 0.02, 3.0  # share of equal neighbouring samples, and times what their differences would let be
TWINS = 0.5  # of its samples that two sites share
FEW = 0.1  # of all pairs: if more are alike the numbers are coarse, or the recording is a formula
MAINS = (50.0, 60.0)
LINE = 10.0  # times the power beside it
NAMED = 6  # sites, at most
SOME = 2_000_000  # differences that are looked at
SITES = 256  # whose spectra are taken at once, or averaged


def suspects(x: "DataArray", band: tuple[float, float]) -> tuple[str, ...]:
    """Return what stands out in a recording, a sentence each; () if nothing does.

    Args:
        x: a field, not filtered.
        band: where waves are looked for, in Hz.

    Example:
        >>> x = dh.waves.synth.smooth_noise(dh.waves.synth.Array((6, 6)), seed=0)
        >>> x.values[:, 2, 3] *= 30
        >>> [words.split(";")[0] for words in suspects(x, (10, 30))]
        ['1 site is far louder than the others: (2, 3) (30 times the median)']
    """
    known = good(x)
    names = _names(x, known)
    values = x.values[:, known]
    return (*_silent(values, names), *_loud(values, names, rate(x), band), *_filled(x, values, names))


def mains(x: "DataArray") -> tuple[tuple[float, float], ...]:
    """Return the frequency of each line of the mains that stands out, in Hz, and its share of all power near it.

    Args:
        x: a field, not filtered.

    Returns:
        Multiples of 50 or 60 Hz below half the sampling rate, with the power within 0.5 Hz over that within 4 Hz.

    Example:
        >>> x = dh.waves.synth.smooth_noise(dh.waves.synth.Array(duration="4 s"), seed=0)
        >>> hum = x + 0.5 * np.sin(2 * np.pi * 50 * x.time)
        >>> [f for f, share in mains(hum)], mains(x)
        ([50.0], ())
    """
    fs, count = rate(x), x.sizes["time"]
    values = x.values[:, good(x)]
    values = values[:, :: -(-values.shape[1] // SITES)]
    window = np.hanning(count)[:, None]
    power = (np.abs(np.fft.rfft((values - values.mean(0)) * window, axis=0)) ** 2).mean(1)
    f = np.fft.rfftfreq(count, 1 / fs)
    found = []
    for line in sorted({n * base for base in MAINS for n in range(1, int(fs / 2 / base) + 1)}):
        away = np.abs(f - line)
        at, beside = power[away <= 0.5], power[(away >= 1) & (away <= 4)]
        if len(at) > 1 and len(beside) > 4 and line + 4 < fs / 2 and at.mean() > LINE * np.median(beside):
            found.append((line, float(at.sum() / power[away <= 4].sum())))
    return tuple(found)


def of_mains(lines: tuple[tuple[float, float], ...], band: tuple[float, float]) -> tuple[str, ...]:
    """Return a warning for lines of the mains that lie in a band."""
    inside = [f for f, _ in lines if band[0] <= f <= band[1]]
    if not inside:
        return ()
    which = " and ".join(f"{f:g}" for f in inside)
    return (
        f"The mains are in the band: {which} Hz {'stands' if len(inside) == 1 else 'stand'} out. What all sites share "
        "at once looks like a wave that is far too long; take the line out first, or choose a band without it.",
    )


def _names(x: "DataArray", known: np.ndarray) -> list[Any]:
    """Return the sites as --bad takes them: by the channel in their file, or by row and column where it has none."""
    if (channel := x.attrs.get("channel")) is not None and np.shape(channel) == known.shape:
        return [f"channel {number}" for number in np.asarray(channel)[known]]
    return [tuple(place) if len(place) > 1 else place[0] for place in np.argwhere(known).tolist()]


def _silent(values: np.ndarray, names: list) -> tuple[str, ...]:
    still = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if not len(still):
        return ()
    words = _count(len(still), "site never changes", "sites never change")
    return (f"{words}: {_named(still, names)}; leave {'it' if len(still) == 1 else 'them'} out with --bad.",)


def _loud(values: np.ndarray, names: list, fs: float, band: tuple[float, float]) -> tuple[str, ...]:
    """Name sites whose size is far from that of the others, at all frequencies or in the band."""
    f = np.fft.rfftfreq(len(values), 1 / fs)
    inside = (f >= band[0]) & (f <= band[1])
    blocks = []
    for first in range(0, values.shape[1], SITES):  # of a film all spectra at once would fill the memory
        power = np.abs(np.asarray(fft.rfft(values[:, first : first + SITES], axis=0))) ** 2
        blocks.append([power[1:].sum(0), power[inside].sum(0)])
    away = np.zeros(values.shape[1])
    for size in np.sqrt(np.concatenate(blocks, 1)):
        moving = size > SILENT * size.max()  # what rounding leaves of a silent one
        if moving.sum() < 4:
            continue
        level = np.full(len(size), 0.0)
        level[moving] = np.log(size[moving]) - np.log(np.median(size[moving]))
        odd = np.abs(level) > ODD * 1.4826 * np.median(np.abs(level[moving]))
        away = np.where(odd & (np.abs(level) > np.abs(away)), level, away)
    out = []
    for which, word in ((away > np.log(LOUD), "louder"), (away < np.log(QUIET), "quieter")):
        sites = np.flatnonzero(which)
        if len(sites):
            first = f"{np.exp(away[sites[0]]):.2g} times the median"
            out.append(
                f"{_count(len(sites), 'site is', 'sites are')} far {word} than the others: "
                f"{_named(sites, names)} ({'' if len(sites) == 1 else 'the first one '}{first}); leave "
                f"{'it' if len(sites) == 1 else 'them'} out with --bad if {'it is' if len(sites) == 1 else 'they are'} "
                "broken."
            )
    return tuple(out)


def _filled(x: "DataArray", values: np.ndarray, names: list) -> tuple[str, ...]:
    """Say whether neighbours share more numbers than chance lets them: they were filled in, or smoothed over space."""
    net = edges(x)
    moving = np.ptp(values, axis=0) > 0
    pairs = np.flatnonzero(moving[net.first] & moving[net.second])
    if not len(pairs):
        return ()
    some = values[:: max(1, len(values) * len(pairs) // SOME)]
    apart = np.abs(some[:, net.first[pairs]] - some[:, net.second[pairs]])
    equal = (apart == 0).mean(0)
    out, twins = [], np.flatnonzero(equal > TWINS)
    if 0 < len(twins) <= FEW * len(pairs):
        one, other = (names[int(of[pairs[twins[0]]])] for of in (net.first, net.second))
        out.append(
            f"{_count(len(twins), 'pair', 'pairs')} of neighbours {'has' if len(twins) == 1 else 'have'} the same "
            f"numbers, {one} and {other}{'' if len(twins) == 1 else ' first'}: shorted, or filled in from each other. "
            "Leave one of each out."
        )
    rest = apart[:, equal <= TWINS]
    if rest.size and (share := float((rest == 0).mean())) > max(EQUAL, OFTEN * _by_chance(rest)):
        out.append(
            f"{100 * share:.0f} % of neighbouring samples are equal to the last digit, more than rounding makes so: "
            "these sites seem to have been filled in from others, or smoothed over space. Whatever is smooth here may "
            "be so for that reason, and waves look longer and faster."
        )
    return tuple(out)


def _by_chance(apart: np.ndarray) -> float:
    """Return how many differences would be zero if zero were a level like those near it."""
    there = apart[apart > 0]
    if not len(there):
        return 1.0
    near = np.quantile(there, 0.3)
    close = there[there <= near]
    levels = len(np.unique(np.round(close / near, 5)))
    return len(close) / apart.size / (2 * levels)


def _count(n: int, one: str, many: str) -> str:
    return f"1 {one}" if n == 1 else f"{n} {many}"


def _named(sites: np.ndarray, names: list) -> str:
    words = ", ".join(str(names[i]) for i in sites[:NAMED])
    return words + (f" and {len(sites) - NAMED} more" if len(sites) > NAMED else "")
