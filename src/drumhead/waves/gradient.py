"""Which way a phase falls at each site: the local wave vector, from differences that never leave a turn."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree

from drumhead.errors import DrumheadError, whole
from drumhead.waves.fields import pitches, places, spacing, unit_of_length
from drumhead.waves.frames import phases
from drumhead.waves.phase import wrap

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

FARTHEST = 1.5  # times how far the second nearest site is, here or mostly, that a neighbour may be away


def gradient(ph: "Dataset", *, neighbours: int = 6) -> "Dataset":
    """Return the wave vector at each site and time, k = -grad phi, which points where the wave goes.

    On a grid, k_x = -(1/2) (wrap(phi(x + d) - phi(x)) + wrap(phi(x) - phi(x - d))) / d, of these two differences those
    that exist, and k_y likewise: both are right for wavelengths down to 2 pixels. At sites anywhere, k minimises
    sum_j (wrap(phi_j - phi) + k . (r_j - r))^2 / |r_j - r| over the nearest neighbours. Differences are taken in
    space at one time, so channels that are turns apart do no harm.

    Args:
        ph: what `phase` returns.
        neighbours: how many of the nearest sites to fit, at sites anywhere; more are smoother. Those farther than 1.5
            times the second nearest (of this site, or of half the sites if that is more) are left out: on the way to
            them short waves turn by more than half a turn, which nobody can tell from less.

    Returns:
        ky and kx in rad/m, or rad/px of a field without a pitch; NaN where the phase is, or where no neighbour is;
        across a line of sites 0. attrs["shortest_wavelength"]: shorter waves are misread.

    Raises:
        DrumheadError: not what `phase` returns.

    Source:
        Differences on a circle: N. I. Fisher, Statistical Analysis of Circular Data, 1993.

    Example:
        >>> x = dh.waves.synth.plane(dh.waves.synth.Array(), frequency=20, speed=0.1, direction=0.0)
        >>> g = dh.waves.gradient(dh.waves.phase(x, band="5-40 Hz"))
        >>> round(float(g.kx.mean())), round(2 * np.pi * 20 / 0.1), bool(abs(g.ky).max() < 1e-6)
        (1257, 1257, True)
    """
    from xarray import Dataset

    phi = phases(ph, "gradient")
    slopes = Slopes(phi, neighbours)
    ky, kx = slopes(phi.values)
    unit = f"rad/{unit_of_length(phi)}"
    attrs = {key: ph.attrs[key] for key in ("band_hz", "repaired_fraction") if key in ph.attrs}
    return Dataset(
        {"ky": (phi.dims, ky, {"units": unit}), "kx": (phi.dims, kx, {"units": unit})}, phi.coords,
        {"definition": "k = -grad phi", "shortest_wavelength": slopes.shortest} | attrs,
    )  # fmt: skip


class Slopes:
    """What gives the wave vectors (ky, kx) of phases (time, *sites) on the sites of a field.

    Attributes:
        shortest: the shortest wavelength that is read right, in the unit of the places.
    """

    def __init__(self, phi: "DataArray", neighbours: int = 6):
        if "site" not in phi.dims:
            self.steps = spacing(phi)
            self.near = None
            self.shortest = 2 * max(pitches(phi), default=np.nan)
            return
        at, used = places(phi), np.flatnonzero(np.isfinite(phi.values).any(0))
        count = min(whole("neighbours", neighbours, least=2), len(used) - 1)
        self.near = np.tile(np.arange(len(at)), (max(count, 1), 1))
        self.weights, self.shortest = np.full((2, *self.near.shape), np.nan), np.nan
        if count < 1:
            return
        found = KDTree(at[used]).query(at[used], count + 1)
        away, order = np.asarray(found[0])[:, 1:], used[np.asarray(found[1])[:, 1:]]  # the first is the site itself
        second = away[:, [min(1, count - 1)]]
        close = away <= FARTHEST * np.maximum(second, np.median(second))  # pairs alone would measure noise
        weight = close / np.sqrt(away)
        fit = np.linalg.pinv(weight[..., None] * (at[order] - at[used][:, None]), rcond=1e-6) * weight[:, None]
        self.near[:, used] = np.where(close, order, used[:, None]).T
        self.weights[:, :, used] = fit.transpose(1, 2, 0)
        self.shortest = 2 * float(away[close].max())

    def __call__(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ky and kx."""
        if self.near is None:
            return _along(phi, 1, self.steps[0]), _along(phi, 2, self.steps[1])
        ky, kx = np.zeros(phi.shape), np.zeros(phi.shape)
        for near, (weight_y, weight_x) in zip(self.near, self.weights.transpose(1, 0, 2), strict=True):
            rise = wrap(phi[:, near] - phi)
            ky -= weight_y * rise
            kx -= weight_x * rise
        return ky, kx


def sloping(phi: "DataArray", neighbours: int = 6) -> Slopes:
    """Return what gives wave vectors to those who average them over sites: some site has to have one."""
    if "site" not in phi.dims:
        known = np.asarray(np.isfinite(phi.values).any(0))
        for name, beside in (("y", known[1:] & known[:-1]), ("x", known[:, 1:] & known[:, :-1])):
            if beside.size and not beside.any():
                raise DrumheadError(
                    f"no two good sites are neighbours along {name}, so no phase is seen to fall that way; keep more "
                    "of them, or give all as sites with their places (at=)"
                )
    return Slopes(phi, neighbours)


def _along(phi: np.ndarray, axis: int, step: float) -> np.ndarray:
    """Return -d phi / dx along an axis of a grid."""
    if phi.shape[axis] == 1:
        return np.where(np.isfinite(phi), 0.0, np.nan)
    rise = wrap(np.diff(phi, axis=axis))
    exists = np.isfinite(rise)
    rise[~exists] = 0
    behind, ahead = (tuple(pad if i == axis else (0, 0) for i in range(3)) for pad in ((1, 0), (0, 1)))
    total = np.pad(rise, behind) + np.pad(rise, ahead)
    count = np.pad(exists, behind).astype(np.int8) + np.pad(exists, ahead)
    with np.errstate(invalid="ignore", divide="ignore"):
        return -total / (count * step)
