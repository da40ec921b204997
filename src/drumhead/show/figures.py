"""How every figure is made and written: its words, ticks, legends and sizes."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from drumhead.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MADE_BY = {"Software": "drumhead"}  # in each PNG, so that no other is taken for one of ours


def caption(name: str, longest: int = 40) -> str:
    """Return a name as pictures and terminals can show it: unprintable characters escaped, a long one cut.

    Example:
        >>> caption("x" * 99, 8)
        'xxxx…xxxx'
    """
    name = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of so many inches, whose panels find their own places."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def open_axes(axis: "Axes", labels: float = 8.5) -> None:
    """Leave the upper and the right side of an axis open, with tick labels of so many points."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=labels)


def no_ticks(axis: "Axes") -> None:
    """Take the ticks from an axis that shows an image."""
    axis.set_xticks([])
    axis.set_yticks([])


def legend_below(figure: "Figure", handles: Sequence["Artist"]) -> None:
    """Put a legend below the panels, which makes the picture higher."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    across = int(figure.get_figwidth() / (0.55 + 0.065 * longest))  # inches of an entry at 8 points
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=max(1, across), frameon=False,
                  fontsize=8)  # fmt: skip


def legend_right(figure: "Figure", handles: Sequence["Artist"], title: str = "") -> None:
    """Put a legend at the right of the panels, which makes the picture wider."""
    columns = 1 + (len(handles) - 1) // 14
    figure.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), ncols=columns, frameon=False,
                  fontsize=8, handlelength=2.4, title=title, title_fontsize=8)  # fmt: skip


def save_figure(figure: "Figure", path: Path, *, note: str = "", colours: int = 0) -> None:
    """Write a figure as PNG, with what stands beside its panels, whole or not at all.

    A `$` is a character, logarithmic axes have plain numbers, and glyphs that the font lacks become boxes in silence.

    Args:
        figure: from `new_figure`.
        path: PNG to write.
        note: small print below.
        colours: maps in 256 colours take a third of the room and look the same; 0 keeps all.
    """
    from matplotlib.text import Text

    figure.text(0.01, 0, note, fontsize=7.5, color="0.35", va="top")
    for axes in figure.axes:
        _plain_logarithms(axes)
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # type: ignore[attr-defined]
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(content, format="png", metadata=MADE_BY, bbox_inches="tight")
    if colours:
        with Image.open(content) as picture:
            plain = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        content = io.BytesIO()
        plain.save(content, "png", optimize=True)
    write_atomic(path, content.getvalue())


def _plain_logarithms(axes: "Axes") -> None:
    """Label logarithmic axes without ticks of their own with plain numbers, at 1, 2 and 5 where there is room."""
    from matplotlib.ticker import FuncFormatter, LogFormatter, LogLocator, NullFormatter

    for axis, pixels in ((axes.xaxis, axes.bbox.width), (axes.yaxis, axes.bbox.height)):
        if not isinstance(axis.get_major_formatter(), LogFormatter):
            continue
        if isinstance(axis.get_major_locator(), LogLocator):
            decades = np.ptp(np.log10(axis.get_view_interval()))
            roomy = pixels / axes.figure.dpi > 1.3 * decades
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if roomy else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axis.set_minor_formatter(NullFormatter())
