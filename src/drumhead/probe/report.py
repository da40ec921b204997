"""The words and tables of the receptive-field report, from its JSON."""

from typing import Any

from drumhead.networks.reach import in_words
from drumhead.show import pages

FIELD = (
    "network", "T", "state r50", "r95", "bound", "cone", "beyond", "gain", "logits r50", "r95", "beyond",
    "growth: spread, edge",
)  # fmt: skip
SPEEDS = (
    "network", "oscillator (pixels)", "long", "group", "linear: front", "contour", "its own: front", "contour",
    "amplifying",
)  # fmt: skip


def report(whole: dict[str, Any]) -> str:
    """Return receptive-field.md: one row a model, then speeds and the free medium.

    Args:
        whole: the content of receptive-field.json.
    """
    settings, free = whole["settings"], whole["free_medium"]
    return pages.markdown([
        pages.Heading("How far a pixel sees", 1),
        pages.Text(
            f"Gradients of a reading at one pixel with respect to the image: {settings['images']} test images of "
            f"{settings['task']}, repeated to {settings['side']} x {settings['side']} around a random pixel of an "
            f"object, {settings['cotangents']} random weights of the channels each. Radii in pixels; r50 and r95 hold "
            "50 and 95 % of the summed |gradient|; *bound* is how far can be seen at all, *all* the whole image; "
            "*beyond* is the share that lies outside what the encoder sees by itself; *gain* is the gradient's sum "
            "over the one at T = 0. Growth: exponents p of T^p of the spread, sqrt(rms(T)^2 - rms(0)^2), and of the "
            "edge, r95(T) - r95(0), over the last ten-fold of the network's own time; 1 is ballistic, 1/2 diffusive."
        ),
        pages.Text("![maps](receptive-field.png)"),
        pages.Text("![radii](radius.png)"),
        pages.Grid(FIELD, [_field(model) for model in whole["models"]]),
        pages.Heading("Speeds"),
        pages.Text("![responses to an impulse](greens.png)"),
        pages.Text(
            "In oscillators per unit of model time. *long*: long waves; *group*: the largest group velocity of the "
            "linear medium that only just stands, the light cone; *front*: half height, after an impulse of 1 in the "
            "medium that each image sets, omega and alpha included (- where no ring has a peak); *contour*: where the "
            "response passes a thousandth of its largest; *amplifying*: the share of oscillators whose omega does "
            "not hold back the kernel."
        ),
        pages.Grid(SPEEDS, [_speeds(model) for model in whole["models"] if model["speeds"] is not None]),
        pages.Text(
            f"Free medium (omega = alpha = 0, {free['side']} x {free['side']} torus, {free['steps']} steps of "
            f"{free['dt']}, float64): the loop and the closed form by Fourier modes differ by at most "
            f"{free['difference']['linear']:.1e} (tanh at an amplitude of 1e-6: {free['difference']['tanh']:.1e}); "
            f"front {_n(free['front_speed'])}, contour {_n(free['contour_speed'])}, predicted {_n(free['predicted'])}."
        ),
        pages.Text("Every T, read by read: `receptive-field.csv`; all of it: `receptive-field.json`."),
    ])  # fmt: skip


def _field(model: dict[str, Any]) -> list[str]:
    rows = {(row["read"], row["steps"]): row for row in model["rows"]}
    heard = rows.get(("logits", model["steps"]), {})
    logits = [_n(heard.get("half"), 1), _n(heard.get("most"), 1), _share(heard.get("beyond"))]
    return [*_state(model, rows), *logits, _growth(model["growth"])]


def _speeds(model: dict[str, Any]) -> list[str]:
    responses = list(model["responses"].values())
    speeds = [model["speeds"]["long"], model["speeds"]["group"]]
    speeds += [responses[i][key] for i in (0, -1) for key in ("speed", "contour")]
    return [model["name"], str(model["stride"]), *map(_n, speeds), _share(model["amplifying"])]


def _state(model: dict[str, Any], rows: dict[tuple[str, int | None], dict[str, Any]]) -> list[str]:
    known = [t for read, t in rows if read == "state" and t is not None and t <= (model["steps"] or 0)]
    if not known:
        return [model["name"], "-", "-", "-", in_words(rows["logits", None]["bound"]), "-", "-", "-"]
    t = max(known)
    row, start = rows["state", t], rows["state", 0]
    gain = row["mass"] / start["mass"] if start["mass"] else None
    return [model["name"], str(t), _n(row["half"], 1), _n(row["most"], 1), in_words(row["bound"]), _n(row["cone"], 1),
            _share(row["beyond"]), "-" if gain is None else f"{gain:.2g}"]  # fmt: skip


def _growth(fit: dict[str, Any] | None) -> str:
    if fit is None:
        return "-"
    return (
        f"{fit['spread']:.2f} (R² {fit['spread_r2']:.3f}), {fit['edge']:.2f} (R² {fit['edge_r2']:.3f}), "
        f"T = {fit['steps'][0]} to {fit['steps'][-1]}"
    )


def _n(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * max(value, 0.0):.1f} %"
