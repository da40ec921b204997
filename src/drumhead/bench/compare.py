"""Old results against new ones: what became faster or slower by more than the two spreads."""

from typing import Any

from drumhead.bench import machine
from drumhead.bench.plan import MODES
from drumhead.bench.report import milliseconds, same
from drumhead.show.pages import Grid


def compare(old: dict[str, Any], new: dict[str, Any]) -> tuple[Grid, list[str]]:
    """Return a table of old against new and what a reader has to be warned of.

    A change counts when the medians differ by more than the two spreads together; a spread is the distance between
    the quartiles. Only what was measured with the same sizes is compared.

    Args:
        old: results as `report.read` returns them.
        new: the same, later.
    """
    rows, alone = [], 0
    for section in ("speed", "side"):
        before = {same(row): row for row in old.get(section, [])}
        after = {same(row): row for row in new.get(section, [])}
        alone += len(before.keys() ^ after.keys())
        for key in [key for key in before if key in after]:
            for kind in ("wall", "cpu"):
                rows.append(_compared(section, kind, before[key], after[key]))
    warnings = [f"the machines differ in {line}" for line in machine.differences(old["machine"], new["machine"])]
    if alone:
        warnings.append(f"{alone} measurements are in one of the two only, or were made with other sizes")
    columns = ("what", "old ms/image", "new ms/image", "new / old", "change")
    return Grid(columns, rows, f"Old ({old['date'][:10]}) against new ({new['date'][:10]})"), warnings


def _compared(section: str, kind: str, old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    before, after = old[f"{kind}_s"], new[f"{kind}_s"]
    size = f" {old['side']} px" if section == "side" else ""
    return (
        f"{old['task']}{size} {MODES[old['mode']]} {old['contender']}, {'CPU' if kind == 'cpu' else kind}",
        milliseconds(before),
        milliseconds(after),
        f"{after['median'] / max(before['median'], 1e-12):.2f}",
        verdict(before, after),
    )


def verdict(before: dict[str, float], after: dict[str, float]) -> str:
    """Say whether a change is larger than the two spreads."""
    change = after["median"] - before["median"]
    if abs(change) <= before["high"] - before["low"] + after["high"] - after["low"]:
        return "within the spreads"
    return "slower" if change > 0 else "faster"
