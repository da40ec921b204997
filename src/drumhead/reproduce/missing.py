"""What a report lacks, in a line a network."""

from collections.abc import Iterable

from drumhead.reproduce.results import Missing


def by_network(missing: Iterable[Missing]) -> list[str]:
    """Return a line a network, in the order of the table, seeds missing for the same reason together."""
    networks: dict[str, dict[str, list[int]]] = {}
    for item in sorted(missing, key=lambda item: (item.cell.table.rows.index(item.cell.row), item.cell.seed)):
        networks.setdefault(item.cell.row.name, {}).setdefault(item.why, []).append(item.cell.seed)
    return [
        f"{name}: " + "; ".join(f"{spans(seeds)} {why}" for why, seeds in reasons.items())
        for name, reasons in networks.items()
    ]


def spans(seeds: Iterable[int]) -> str:
    """Return seeds with three and more in a row said as one.

    Example:
        >>> from drumhead.reproduce.missing import spans
        >>> spans([4]), spans([0, 1, 3, 4, 5])
        ('seed 4', 'seeds 0, 1, 3 to 5')
    """
    rows: list[list[int]] = []
    for seed in sorted(seeds):
        if rows and rows[-1][-1] == seed - 1:
            rows[-1].append(seed)
        else:
            rows.append([seed])
    words = [f"{row[0]} to {row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in rows]
    return f"seed{'s' * (sum(map(len, rows)) > 1)} {', '.join(words)}"
