"""The report of a table: ours beside the paper's, what is missing, and every number's run. Works without weights."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from drumhead.errors import DrumheadError
from drumhead.files import report_folder, write_atomic
from drumhead.learn.scores import SCORES
from drumhead.reproduce.budgets import BUDGETS
from drumhead.reproduce.charts import bars, curves
from drumhead.reproduce.estimates import MACHINES, core_seconds, passes, train_images
from drumhead.reproduce.paper import Score
from drumhead.reproduce.results import COLLAPSED, Line, Missing, Result, Results, Summary, background_only, summarise
from drumhead.reproduce.tables import abbreviate
from drumhead.show.pages import Block, Grid, Heading, Items, Picture, Text, csv_text, markdown, webpage

SPENT = ("images", "cpu_seconds", "seconds")
NONE = "-"


@dataclass(frozen=True)
class Report:
    """A report that was written."""

    table: Grid  # its main table
    notes: tuple[str, ...]  # what is missing or could not be drawn, a sentence each


def write(results: Results, out: Path, command: str) -> Report:
    """Write report.md, report.html, results.csv, summary.csv and the pictures.

    Args:
        results: from `results.collect`.
        out: directory of the report; it is made if it does not exist.
        command: what the user typed.

    Raises:
        DrumheadError: no run that was asked for is finished.
    """
    if not results.lines:
        missing = by_network(results.missing)
        more = f" | {len(missing) - 4} networks more" if len(missing) > 4 else ""
        raise DrumheadError(
            f"no run that was asked for is finished, so there is nothing to report ({' | '.join(missing[:4])}{more}); "
            "train first"
        )
    planned, table = results.all[0].planned, main_table(results)
    background = background_only(planned)
    note = f"{planned.table.task}, budget {planned.budget.name}, {passes(planned):,} image passes a run"
    with report_folder(out) as folder:
        pictures, notes = _pictures(results, folder)
        notes = [*_missing(results), *notes]
        whose = "Of each network, the first seed whose weights are here."
        blocks: list[Block] = [
            Heading(planned.table.title, 1),
            *_protocol(results, command),
            Heading("Beside the paper"),
            table,
            Text(_how_to_read(results)),
            *bars(results, folder, note, background),
            Heading("All scores"),
            _score_table(results, background),
            Text(_WHAT_SCORES_SEE),
            Heading("What it cost"),
            _cost_table(results),
            *_how_timed(results),
            *curves(results, folder),
            *([Heading("What the networks do"), Text(whose), *pictures] if pictures else []),
            Heading("What is missing"),
            Items(tuple(notes)) if notes else Text("Nothing: every run that was asked for is here."),
            Heading("Every run"),
            _run_table(results),
            *_machines(results),
        ]
        write_atomic(folder / "results.csv", _csv([_seed_row(result) for result in results.all]))
        write_atomic(folder / "summary.csv", _csv([_summary_row(line) for line in results.lines]))
        write_atomic(folder / "report.md", markdown(blocks))
        write_atomic(folder / "report.html", webpage(blocks, folder))
    return Report(table, tuple(notes))


def main_table(results: Results) -> Grid:
    """Return foreground IoU of every network beside the paper's."""
    columns = ("network", "foreground IoU", "min / median / max", "seeds", "collapsed",
               "paper", "paper's min / median / max", "paper's collapsed", "Welch p")  # fmt: skip
    rows = []
    for line in results.lines:
        ours, paper, test = line.summary("foreground_iou"), line.paper, line.welch
        row = (
            line.row.name,
            _value(ours),
            NONE if ours is None else " / ".join(f"{value:.3f}" for value in (ours.low, ours.median, ours.high)),
            str(len(line.results)),
            str(line.collapsed),
            NONE if paper is None else f"{_value(paper.foreground_iou)} ({paper.seeds})",
            NONE if paper is None else " / ".join(f"{value:g}" for value in paper.extremes),
            NONE if paper is None else str(paper.collapsed),
            NONE if test is None else f"{test.p:.2g}",
        )
        rows.append(row)
    return Grid(columns, rows)


def _protocol(results: Results, command: str) -> list[Block]:
    planned = results.all[0].planned
    budget, seen = planned.budget, passes(planned)
    full = BUDGETS["paper"].passes(train_images(planned.table.task))
    test = f"the first {budget.test_images:,} images" if budget.test_images else "all images"
    blocks: list[Block] = [
        Text(
            f"Budget `{budget.name}`: {budget.text}. {seen:,} image passes a run, the same for every network; scores "
            f"are of the weights with the lowest validation loss, on {test} of the test split of {planned.table.task}."
        ),
        Text(f"Made by `{command}`."),
    ]
    if any(line.paper for line in results.lines) and seen < full:
        text = (
            f"**Not at equal passes: our networks saw {seen:,} images, the paper's {full:,}, {full / seen:,.0f} times "
            "as many. The two columns do not compare networks trained alike, and a low p says no more than that.**"
        )
        blocks.append(Text(text))
    if budget.name == "smoke":
        blocks.append(Text("**A smoke run: it shows that everything works and says nothing about any network.**"))
    return blocks


def _how_to_read(results: Results) -> str:
    text = (
        f"Mean ± standard deviation over seeds (n - 1). A seed counts as collapsed when its foreground accuracy on the "
        f"test split is below {COLLAPSED}: it calls everything background. "
    )
    if any(line.paper for line in results.lines):
        return text + (
            "Welch p: two-sided test that the two means of foreground IoU differ, from means, deviations and seeds "
            "alone; a dash with fewer than two seeds. In brackets: the paper's seeds (arXiv 2502.06034)."
        )
    return text + "The paper has no numbers for these networks on this task."


_WHAT_SCORES_SEE = (
    "Foreground accuracy a is the share of correct pixels among those of objects; the paper's foreground IoU is "
    "a / (2 - a), image by image, so it says nothing new and never sees background painted as an object. Class-mean "
    "IoU (background included), Dice (without it) and boundary F do. A dash was not measured."
)


def _score_table(results: Results, background: float | None) -> Grid:
    known = {key: title for key, title in SCORES.items() if any(line.summary(key) for line in results.lines)}
    rows = [(line.row.name, *(_value(line.summary(key)) for key in known)) for line in results.lines]
    if background is not None:
        # The share of background is the IoU of that class, and every other class has none of it.
        classes = results.all[0].planned.config.model.classes
        fixed = {"accuracy": background, "mean_iou": background / classes, "loss": None}
        rows.append(("background only", *(_pair(fixed.get(key, 0.0)) for key in known)))
    for line in results.lines:
        if paper := line.paper:
            scores = {key: _value(getattr(paper, key)) for key in ("foreground_accuracy", "foreground_iou", "accuracy")}
            scores["loss"] = _pair(paper.loss)
            rows.append((f"paper: {line.row.name}", *(scores.get(key, NONE) for key in known)))
    return Grid(("network", *known.values()), rows)


def _cost_table(results: Results) -> Grid:
    columns = (
        "network",
        "parameters",
        "image passes",
        "seconds of one core",
        "wall seconds",
        "ms of one core an image",
    )
    rows = []
    for line in results.lines:
        images, wall = line.spent("images"), line.spent("seconds")
        cpu = summarise(core_seconds(result, result.run.history[-1]) for result in line.results)
        each = f"{1000 * cpu.mean / images.mean:.1f}" if cpu and images else NONE
        count = line.results[0].score("parameters")
        whole = [NONE if item is None else _whole(item.mean) for item in (images, cpu, wall)]
        rows.append((line.row.name, NONE if count is None else f"{count:,}", *whole, each))
    return Grid(columns, rows)


def _how_timed(results: Results) -> list[Block]:
    """Say where the seconds are not those of the runs."""
    on_gpu = sum(result.on_gpu for result in results.all)
    if not on_gpu:
        return []
    text = (
        f"{on_gpu} of {len(results.all)} runs had a GPU, all the time or until they were moved, perhaps beside others: "
        "their wall seconds say little, and their seconds of one core are estimates, passes at the cost measured "
        "apart, with the loss at one pixel in 8 (all pixels, as in budget paper, cost up to three times as much): "
        f"{MACHINES}."
    )
    return [Text(text)]


def _run_table(results: Results) -> Grid:
    columns = ("run", "foreground IoU", "foreground accuracy", "trained at commit", "measured at")
    rows = []
    for result in results.all:
        scores = (_pair(result.score(key)) for key in ("foreground_iou", "foreground_accuracy"))
        measured = result.run.test.get("environment") or {}
        commits = (
            f"`{about['commit']}`" if about.get("commit") else NONE for about in (result.run.environment, measured)
        )
        rows.append((f"`{result.run.place}`", *scores, *commits))
    return Grid(columns, rows)


def _machines(results: Results) -> list[Block]:
    """Say on what the runs were trained, each machine once."""
    machines = Counter[str]()
    for result in results.all:
        if about := result.run.environment:
            threads = about.get("threads")
            text = (
                f"{about.get('gpu') or about.get('processor')}, {about.get('cores')} cores, "
                f"{threads} thread{'s' * (threads != 1)}; {about.get('system')}; Python {about.get('python')}, "
                f"torch {about.get('torch')}, drumhead {about.get('drumhead')}"
            )
            machines[text] += 1
    if not machines:
        return [Text("No run says on what machine it was trained.")]
    return [Text("Trained on:"), Items(tuple(f"{text}: {count} runs" for text, count in machines.items()))]


def _missing(results: Results) -> list[str]:
    """Say what has no result: runs that were asked for, and networks of the table that were not."""
    notes = by_network(results.missing)
    if results.untouched:
        notes.append(f"not asked for, and not trained: {abbreviate(row.name for row in results.untouched)}")
    if any(result.score("boundary_f") is None for result in results.all):
        notes.append("boundary F was not measured in some runs")
    return notes


def by_network(missing: Iterable[Missing]) -> list[str]:
    """Return a line a network, in the order of the table, seeds missing for the same reason together."""
    networks: dict[str, dict[str, list[int]]] = {}
    for item in sorted(missing, key=lambda item: (item.planned.table.rows.index(item.planned.row), item.planned.seed)):
        networks.setdefault(item.planned.row.name, {}).setdefault(item.why, []).append(item.planned.seed)
    return [
        f"{name}: " + "; ".join(f"{_spans(seeds)} {why}" for why, seeds in reasons.items())
        for name, reasons in networks.items()
    ]


def _spans(seeds: list[int]) -> str:
    """Return ascending seeds with three and more in a row said as one: seeds 0, 1, 3 to 5."""
    rows = [[seed for _, seed in row] for _, row in groupby(enumerate(seeds), lambda pair: pair[1] - pair[0])]
    words = [f"{row[0]} to {row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in rows]
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(words)}"


def _pictures(results: Results, out: Path) -> tuple[list[Picture], list[str]]:
    """Draw what needs weights; without any, torch is not even imported."""
    if not any((result.run.place / "weights.safetensors").exists() for result in results.all):
        return [], ["no weights here, so no pictures of what the networks do"]
    from drumhead.reproduce.pictures import pictures

    return pictures(results.lines, out)


def _csv(rows: list[dict[str, object]]) -> str:
    return csv_text(list(rows[0]), [list(row.values()) for row in rows])


def _seed_row(result: Result) -> dict[str, object]:
    planned = result.planned
    return {
        "task": planned.table.task,
        "network": planned.row.name,
        "budget": planned.budget.name,
        "seed": planned.seed,
        **{key: result.score(key) for key in SCORES},
        "collapsed": int(result.collapsed),
        "parameters": result.score("parameters"),
        **{key: result.spent(key) for key in SPENT},
        "commit": result.run.environment.get("commit", ""),
        "run": str(result.run.place),
    }


def _summary_row(line: Line) -> dict[str, object]:
    paper, test = line.paper, line.welch
    parts = ("mean", "std", "low", "median", "high")
    return {
        "network": line.row.name,
        "seeds": len(line.results),
        "collapsed": line.collapsed,
        **{f"{key}_{part}": getattr(line.summary(key), part, None) for key in SCORES for part in parts},
        "paper_foreground_iou_mean": paper and paper.foreground_iou.mean,
        "paper_foreground_iou_std": paper and paper.foreground_iou.std,
        "paper_seeds": paper and paper.seeds,
        "paper_collapsed": paper and paper.collapsed,
        "welch_t": test and test.t,
        "welch_p": test and test.p,
        "parameters": line.results[0].score("parameters"),
        **{f"{key}_mean": getattr(line.spent(key), "mean", None) for key in SPENT},
    }


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _value(summary: Summary | Score | None) -> str:
    return NONE if summary is None else _pair(summary.mean, summary.std)


def _pair(mean: float | None, std: float | None = None) -> str:
    if mean is None:
        return NONE
    return f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"
