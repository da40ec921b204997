"""What patterns phases make, frame by frame, beside those of surrogates without lags.

    planar     pgd > 0.5, the customary rule, and not less than |centred_pgd|
    radial     |centred_pgd| > 0.5 about the source that fits best, and > pgd
    turns      phase singularities and how long they last

Smooth noise has all of them, so each is told with what surrogates have. These keep spectra and zero-lag covariance and
have no lags. Those of a wave are as planar as it is in many a frame: what they lack is that all frames go one way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drumhead.errors import DrumheadError
from drumhead.waves.fields import good, places, rate
from drumhead.waves.planar import planar
from drumhead.waves.radial import LEAST, radial
from drumhead.waves.rings import SOURCES
from drumhead.waves.singularities import singularities

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

PER_CYCLE = 8  # frames looked at for each period of the band's upper edge: more of them say the same again
MOST, FEWEST = 1000, 50  # frames that sources are searched in
WORK = 2.5e9  # of the search, sites times sources times wave numbers: 1000 frames of 256 sites
CUSTOMARY = 0.5  # of pgd, above which a frame is often called a wave (Rubino, Robbins and Hatsopoulos 2006)
LEVEL = 95  # percentile of surrogate frames


@dataclass(frozen=True)
class Patterns:
    """Measures of frames, of the recording and of its surrogates.

    Attributes:
        planar: what `dh.waves.planar` returns, over the frames that were looked at.
        planar_null: the same of surrogates.
        radial: what `dh.waves.radial` returns for some of these frames, with their pgd; None on a line of sites.
        radial_null: the same of surrogates.
        turns: what `dh.waves.singularities` returns, one for each trial; none where there are no squares of sites.
        turns_null: the same of surrogates.
        period: of the middle of the band, in s.
    """

    planar: "Dataset"
    planar_null: "Dataset"
    radial: "Dataset | None"
    radial_null: "Dataset | None"
    turns: "Sequence[Dataset]"
    turns_null: "Sequence[Dataset]"
    period: float

    @property
    def level(self) -> float:
        """The 95th percentile of pgd in surrogates; NaN where no gradient in any of them is other than zero."""
        known = self.planar_null["pgd"].values
        known = known[np.isfinite(known)]
        return float(np.percentile(known, LEVEL)) if len(known) else np.nan

    @property
    def marked(self) -> np.ndarray:
        """Frames that are more planar than 95 % of surrogate frames, bool (time,)."""
        return self.planar["pgd"].values > self.level

    @property
    def customary(self) -> float:
        """Share of surrogate frames whose pgd exceeds 0.5: how often that rule calls a wave what is none."""
        return float((self.planar_null["pgd"].values > CUSTOMARY).mean())

    @property
    def kept(self) -> np.ndarray:
        """Frames whose speed and direction are told: the marked ones, or all where hardly more are than by chance."""
        marked = self.marked
        return marked if marked.mean() >= 2 * (1 - LEVEL / 100) else np.ones_like(marked)

    def shares(self, null: bool = False) -> dict[str, float]:
        """Return the shares of frames that are planar and radial, and of the radial ones those that run outward."""
        flat, rings = (self.planar_null, self.radial_null) if null else (self.planar, self.radial)
        if rings is None:
            return {"planar": float((flat["pgd"].values > CUSTOMARY).mean())}
        centred = rings["centred_pgd"].values
        planar, radial = kinds(rings["pgd"].values, centred)
        outward = float((centred[radial] > 0).mean()) if radial.any() else np.nan
        return {"planar": float(planar.mean()), "radial": float(radial.mean()), "outward": outward}

    def turning(self, null: bool = False) -> dict[str, float]:
        """Return singularities a frame, and lifetimes and how much all turn one way (1: one does always)."""
        found = self.turns_null if null else self.turns
        if not found:
            return {}
        number = np.concatenate([one["number"].values for one in found])
        lasting = np.concatenate([one["lifetime"].values for one in found])
        seconds = sum(len(one["time"]) / rate(one) for one in found)  # type: ignore[arg-type]
        middle, longest = np.percentile(lasting, (50, 100)) if len(lasting) else (np.nan, np.nan)
        return {
            "per_frame": float(number.mean()),
            "lifetime_s_median": float(middle),
            "lifetime_s_longest": float(longest),
            "one_way": max(abs(float(one["net"].mean())) for one in found),
            "lasting_a_period_per_s": float((lasting >= self.period).sum() / seconds),
        }


def kinds(pgd: np.ndarray, centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which frames are planar and which radial, bool, by their pgd and centred_pgd; none is both."""
    rings = np.abs(centred)
    return (pgd > CUSTOMARY) & ~(rings > pgd), (rings > CUSTOMARY) & (rings > pgd)


Look = tuple["Dataset", "Dataset | None", "Dataset | None"]


def look(phases: "Dataset", high: float, trials: int = 1) -> Look:
    """Return planar, radial and singularities of phases, the first two in frames that are far enough apart.

    Args:
        phases: what `dh.waves.phase` returns.
        high: upper edge of the band in Hz.
        trials: among how many the frames are shared that sources are searched in.
    """
    some = thinned(phases, high)
    flat, rings = planar(some), None
    if not why_no_rings(phases["phase"]):
        searched = -(-_searched(int(good(phases["phase"]).sum())) // trials)
        sparse = slice(None, None, -(-some.sizes["time"] // searched))
        rings = radial(some.isel(time=sparse)).assign(pgd=flat["pgd"].isel(time=sparse))
    return flat, rings, singularities(phases) if has_squares(phases["phase"]) else None


def together(looks: Sequence[Look], null: Sequence[Look], period: float) -> Patterns:
    """Return what was seen in one or several trials beside what was seen in surrogates.

    Raises:
        DrumheadError: no gradient of the phase in any frame is other than zero.
    """

    def all_of(seen: Sequence[Look], i: int) -> Any:
        parts: Any = [one[i] for one in seen if one[i] is not None]
        return parts if i == 2 else _one_after_another(parts)

    flat, rings, turns = ((all_of(looks, i), all_of(null, i)) for i in range(3))
    if not np.isfinite(flat[0]["pgd"].values).any():
        raise DrumheadError(
            "all sites have the same phase at all times, as of one signal that each hears as loud as it may: there is "
            "nothing between them to look at; was one channel, or the common average, read for all?"
        )
    return Patterns(*flat, *rings, *turns, period)


def thinned(x: Any, high: float) -> Any:
    """Return a field, or what has its times, with no more frames than a band up to `high` can differ in."""
    return x.isel(time=slice(None, None, max(1, int(rate(x) / (PER_CYCLE * high)))))


def why_no_rings(x: "DataArray") -> str:
    """Return why no sources are looked for; "" if they are."""
    where: Any = places(x)[good(x).ravel()]
    wide = np.linalg.svd(where - where.mean(0), compute_uv=False)
    if wide[-1] <= 1e-6 * wide[0]:
        return "the sites lie on one line, along which a source is only an end"
    return "" if len(where) >= LEAST else f"{len(where)} sites are fewer than the {LEAST} that tell a source"


def has_squares(x: "DataArray") -> bool:
    """Say whether a phase can turn around four sites."""
    return "site" not in x.dims and min(x.sizes["y"], x.sizes["x"]) > 1


def _searched(sites: int) -> int:
    """Return how many frames are searched for sources: a search costs more than in proportion to the sites."""
    return int(np.clip(WORK / (sites * min(sites, SOURCES) * 2.3 * sites**0.5), FEWEST, MOST))


def _one_after_another(parts: "Sequence[Dataset]") -> "Dataset | None":
    from xarray import concat

    return concat(parts, "time", combine_attrs="override") if len(parts) > 1 else parts[0] if parts else None
