"""Write the tables of the documents from the numbers that were committed, so that neither can change alone.

    python docs/tables.py            writes every table anew, between <!-- table NAME --> and <!-- end NAME -->
    python docs/tables.py --check    writes nothing; exits with 1 and names the documents that would change

Scores come from the run directories in docs/results (evaluation-test.json, metrics.jsonl, environment.json), costs from
the benchmark and docs/results/{optimisation,engine}, the paper's numbers from drumhead.reproduce.paper. Nothing here
trains, measures or imports torch.
"""

import json
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from scipy.stats import binomtest

from drumhead.reproduce.estimates import train_images
from drumhead.reproduce.front import on_common_seeds
from drumhead.reproduce.paper import published
from drumhead.show.pages import Grid, markdown

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
BENCH = ROOT / "benchmarks" / "results" / "2026-11-24-amd-epyc" / "bench.json"
DOCUMENTS = tuple(ROOT / name for name in (
    "README.md", "docs/results/cpu.md", "docs/results/hour.md", "docs/results/tetrominoes.md", "docs/results/costs.md",
    "docs/results/runs.md", "docs/results/stacks.md", "docs/results/instruments.md",
    "docs/results/nothing-lost.md", "docs/results/data-rate.md",
))  # fmt: skip
TASKS = ("tetrominoes", "mnist", "multi-mnist")
LONG = {"tetrominoes": "long-16", "mnist": "shift-16", "multi-mnist": "shift-16"}
"""The recipe of 320,000 passes that does best on each task: digits are shifted, pieces are not."""
RECIPES = ("batch-16", "batch-4")  # of 80,000 passes; each network counts under its own better one
NETWORKS = {
    "nwm-fast": "`nwm-fast`, ours",
    "nwm-linear": "`nwm-linear`, the paper's",
    "nwm-fft": "`nwm-fft`, heard as a spectrum",
    "nwm-last": "`nwm-last`, the last state alone",
    "lstm-linear": "`lstm-linear`",
    "cnn-8": "`cnn-8`, the paper's CNN",
    "resnet-8": "`resnet-8`, a fair CNN",
    "unet-4": "`unet-4`, a U-Net",
}
NONE = ""
MOST = 200  # rounds that an image may take
FAR = ("60", "120", "240", "480")  # pixels of the wires that networks in rounds are measured on


@cache
def read(path: Path) -> dict:
    """Return a JSON file."""
    return json.loads(path.read_text())


def runs(place: str) -> list[dict]:
    """Return the test scores of the seeds in a directory of docs/results/reproduce, by seed."""
    found = sorted((RESULTS / "reproduce" / place).glob("seed-*/evaluation-test.json"))
    return [read(path) for path in found]


def scores(tests: Iterable[dict], score: str, digits: int) -> str:
    """Return one score of each seed."""
    return ", ".join(f"{test[score]:.{digits}f}" for test in tests)


def spread(tests: Sequence[dict], score: str, digits: int = 3) -> str:
    """Return the mean over seeds and, in brackets, the least and the largest."""
    values = [test[score] for test in tests]
    if not values:
        return NONE
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def deviation(tests: Sequence[dict], score: str) -> str:
    """Return mean and standard deviation (n - 1) over seeds."""
    values = [test[score] for test in tests]
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"


def theirs(task: str, network: str, score: str, digits: int = 4) -> str:
    """Return a score of the paper, mean and standard deviation."""
    paper = published(task, network)
    if paper is None:
        return NONE
    found = getattr(paper, score)
    return f"{found.mean:.{digits}f} ± {found.std:.{digits}f}"


def thousands(counts: Sequence[int]) -> str:
    """Return numbers of parameters in thousands, once if they are alike."""
    rounded = [f"{count / 1000:.0f}" for count in counts]
    return rounded[0] if len(set(rounded)) == 1 else " / ".join(rounded)


def stacks() -> Grid:
    """Results of stacks: every run, and the variants on MNIST."""
    rows = []
    places = [*sorted((RESULTS / "stack").glob("*-seed-*")), *sorted(
        path.parent for recipe in ("batch-4", "batch-16", "batch-16-160k", "far-16", "late-16", "late-16-60k",
                                     "late-16-small", "late-16-twice", "long-16", "shift-4", "shift-16",
                                     "shift-16-half")
        for path in (RESULTS / "reproduce" / recipe).glob("**/evaluation-test.json"))]  # fmt: skip
    for place in places:
        test, where = read(place / "evaluation-test.json"), place.relative_to(RESULTS)
        history = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        network = "nwm-stack" if where.parts[0] == "stack" else where.parts[-2]
        recipe = "batch-16" if where.parts[0] == "stack" else where.parts[1]  # a preset's own is that
        time = f"{1000 * history[-1]['cpu_seconds'] / history[-1]['images']:.1f}"
        rows.append((test["task"], f"[{network}]({where})", recipe, f"{test['parameters']:,}",
                     f"{history[-1]['images']:,}",
                     *(f"{test[key]:.3f}" for key in ("foreground_accuracy", "foreground_iou", "dice", "boundary_f")),
                     "GPU" if read(place / "environment.json").get("gpu") else time))  # fmt: skip
    columns = ("task", "network", "recipe", "parameters", "passes", "foreground accuracy", "foreground IoU", "Dice",
               "boundary F", "CPU ms an image")  # fmt: skip
    return Grid(columns, tuple(rows))


def variants() -> Grid:
    """Variants of a stack on MNIST after 40,000 passes."""
    rows = []
    for found in read(RESULTS / "stack" / "variants.json").values():
        last = found["history"][-1]
        rows.append((f"`{found['environment']['command'].partition('--epochs 4')[2].strip() or 'as it is'}`",
                     f"{last['val_foreground_iou']:.3f}", f"{last['val_loss']:.4f}"))  # fmt: skip
    return Grid(("`nwm-stack` with", "foreground IoU", "loss"), tuple(rows))


def milliseconds(task: str, network: str) -> float | None:
    """Return what a training image costs one core, the loss at one pixel in eight."""
    later = read(RESULTS / "optimisation" / "costs-multi-mnist.json")["milliseconds"]
    earlier = read(RESULTS / "optimisation" / "costs-batch-4.json")["milliseconds"]
    return (earlier | later).get(f"{task}/{network}")


def price(task: str, network: str, mode: str, threads: int = 1) -> dict:
    """Return what a training step ("train") or inference ("infer") costs, from diagnostics/prices.py."""
    return read(RESULTS / "stack" / f"prices-{task}.json")[f"{threads} threads"][network][mode]


def rounds(kind: str) -> Callable[[], Grid]:
    """Stacks: networks in rounds on longer wires or paths, each image taking as many rounds as it needs."""
    groups = {
        "wire": (("rounds", "waves, seed", "waves, `nwm-rounds`"),
                 ("rounds", "waves twice", "waves, second half twice, two worst seeds"),
                 ("rounds", "waves longer", "waves, both halves twice as long, the same two"),
                 ("rounds", "waves long and", "waves, the second at a smaller rate, one of the two"),
                 ("rounds", "7x7 kernels", "7x7 kernels, `frame-rounds`"),
                 ("rounds-nothing-late", "waves", "waves, nothing late in training"),
                 ("rounds-nothing-late", "7x7 kernels", "7x7 kernels, nothing late in training")),
        "path": (("rounds-pathfinder", "waves", "waves, `nwm-rounds`"),
                 ("rounds-pathfinder", "7x7 kernels", "7x7 kernels, `frame-rounds`")),
    }[kind]  # fmt: skip

    def table() -> Grid:
        rows, lengths = [], FAR if kind == "wire" else FAR[:3]
        for file, start, label in groups:
            found = read(RESULTS / "stack" / f"{file}.json")["networks"]
            own = [of for name, of in found.items() if name.startswith(start)]
            still = [[of[length]["until_still"] for of in own if length in of] for length in lengths]
            rows += [
                (f"{label}, {words}", str(len(own)), *(spread(of, score) for of in still), *(
                    " / ".join(f"{statistics.fmean(map(value, of)):.0f}" for of in still if of)
                    for value in (
                        lambda one: statistics.fmean(one["rounds"]),
                        lambda one: 100 * statistics.fmean(count >= MOST for count in one["rounds"]),
                        lambda one: one["cost"],
                    ))
                ) for score, words in (("marked", f"marked {kind}"), ("foreground", f"all {kind}s"))
            ]  # fmt: skip
        columns = ("share of pixels that is right", "seeds", *(f"{length} pixels" for length in lengths),
                   "rounds an image", f"% that ended at {MOST} rounds", "inference over `unet-4`")  # fmt: skip
        return Grid(columns, tuple(rows))

    return table


def prices() -> Grid:
    """Stacks: what networks cost over the U-Net's, on one thread and on two."""
    rows = []
    for network in ("nwm-stack", "nwm-stack-l", "nwm-modes", "nwm-rounds", "frame-7x7", "frame-attention", "unet-5"):
        costs = [[f"{price(task, network, mode, threads)['ratio']:.2f}" for threads in (1, 2)]
                 for task in (*TASKS, "wires") for mode in ("train", "infer")]  # fmt: skip
        rows.append((f"`{network}`", *(" / ".join(each) for each in costs)))
    columns = [f"{title(task)}, {word}" for task in (*TASKS, "wires") for word in ("training", "inference")]
    return Grid(("over `unet-4`, on one / two threads", *columns), tuple(rows))


def better(task: str) -> dict[str, tuple[str, list[dict], tuple[float, float] | None]]:
    """Return for each network after 80,000 passes its better recipe, its scores there, and its mean with the other.

    Recipes are compared on the seeds that both have; beside the other's mean on these stands that of the better one.
    """
    found: dict[str, dict[str, dict[str, dict]]] = {}  # network: recipe: seed: scores
    for recipe in RECIPES:
        for place in sorted((RESULTS / "reproduce" / recipe / task).glob("*/seed-*/evaluation-test.json")):
            seeds = found.setdefault(place.parts[-3], {}).setdefault(recipe, {})
            seeds[place.parts[-2]] = read(place)
    out = {}
    for network, of in found.items():
        fair = on_common_seeds(
            {recipe: {seed: test["foreground_iou"] for seed, test in seeds.items()} for recipe, seeds in of.items()}
        )
        best, *others = sorted(fair, key=lambda recipe: -fair[recipe])
        out[network] = best, [*of[best].values()], (fair[others[0]], fair[best]) if others else None
    return out


def iou(tests: Iterable[dict]) -> float:
    """Return the mean foreground IoU of seeds."""
    return statistics.fmean(test["foreground_iou"] for test in tests)


def front(task: str) -> Callable[[], Grid]:
    """Stacks: networks of the deciding experiment after 80,000 passes, the best first."""

    def table() -> Grid:
        rows = []
        for network, (recipe, tests, other) in better(task).items():
            costs = (f"{price(task, network, mode)['ratio']:.2f}" for mode in ("train", "infer"))
            images, with_other = recipe.removeprefix("batch-"), NONE if other is None else f"{other[0]:.3f}"
            if other and f"{other[1]:.3f}" != f"{iou(tests):.3f}":  # seeds that the other does not have
                with_other += f" (for {other[1]:.3f})"
            rows.append((f"`{network}`", spread(tests, "foreground_iou"), str(len(tests)), images, with_other,
                         f"{tests[0]['parameters']:,}", *costs))  # fmt: skip
        rows.sort(key=lambda row: row[1], reverse=True)
        columns = ("network", "foreground IoU", "seeds", "images a step", "with the other, same seeds", "parameters",
                   "training over `unet-4`", "inference")  # fmt: skip
        return Grid(columns, tuple(rows))

    return table


def results() -> Grid:
    """README: networks by tasks."""
    columns = ("network", "parameters (thousands)", "image passes", *map(title, TASKS), "training over `unet-4`")
    rows = []
    for network, label in NETWORKS.items():
        seeds = [runs(f"cpu/{task}/{network}") for task in TASKS]
        times = [(milliseconds(task, network), milliseconds(task, "unet-4"))
                 for task, tests in zip(TASKS, seeds, strict=True) if tests]  # fmt: skip
        sizes = [tests[0]["parameters"] for tests in seeds if tests]
        rows.append((label, thousands(sizes), "80,000", *(spread(tests, "foreground_accuracy") for tests in seeds),
                     " / ".join(f"{own / base:.2g}" for own, base in times if own and base)))  # fmt: skip
    short = {task: better(task) for task in TASKS}
    for passes, network, label in (
        ("80,000", "nwm-stack", "`nwm-stack`, ours, three layers of waves"),
        ("80,000", "unet-4", "`unet-4`, its better recipe too"),
        ("320,000", "nwm-stack", "`nwm-stack`, digits shifted at random; shipped"),
        ("320,000", "unet-4", "`unet-4`, the same way"),
    ):
        long = passes == "320,000"
        seeds = [runs(f"{LONG[task]}/{task}/{network}") if long else short[task][network][1] for task in TASKS]
        sizes = [tests[0]["parameters"] for tests in seeds]
        counts = " / ".join(str(len(tests)) for tests in seeds)
        costs = [price(task, network, "train")["ratio"] for task in TASKS]
        rows.append((f"{label} ({counts} seeds)", thousands(sizes), passes,
                     *(spread(tests, "foreground_accuracy") for tests in seeds),
                     " / ".join(f"{cost:.2g}" for cost in costs)))  # fmt: skip
    full = runs("paper/tetrominoes/nwm-fast")
    stopped = [read(RESULTS / "reproduce/paper/tetrominoes/nwm-linear/seed-0/evaluation-test-epoch-217.json")]
    for label, size, passes, tests in (
        ("`nwm-fast`, the paper's protocol (2 seeds)", "25", "2,995,200", full),
        ("`nwm-linear`, the same, stopped early (1 seed)", "176", "2,256,384", stopped),
    ):
        rows.append((label, size, passes, spread(tests, "foreground_accuracy"), NONE, NONE, NONE))
    for network in ("nwm-linear", "unet-4"):
        found = [published(task, network) for task in TASKS]
        sizes = [paper.parameters for paper in found if paper]
        passes = "3,000,000; MNIST 15,300,000" if found[1] else "3,000,000"
        rows.append((f"`{network}`, the paper's report (10, 12 seeds)", thousands(sizes), passes,
                     *(theirs(task, network, "foreground_accuracy", 3) for task in TASKS), NONE))  # fmt: skip
    return Grid(columns, tuple(rows))


def costs() -> Grid:
    """README: times and memory."""
    columns = ("", "published loop", "drumhead", "drumhead, bfloat16", "U-Net")
    rows = []
    for task, mode in ((task, mode) for task in ("tetrominoes", "multi-mnist") for mode in ("train", "infer")):
        loop, *ours = (bench(task, mode, name) for name in ("published", "native", "native-bf16"))
        rows.append((f"{title(task)}, {'training' if mode == 'train' else 'inference'}, ms an image",
                     number(loop["wall_s"]["median"] * 1e3), *map(faster, ours),
                     number(bench(task, mode, "unet")["wall_s"]["median"] * 1e3)))  # fmt: skip
    slopes = {(row["contender"], row["mode"]): row["mb_per_image_and_step"] for row in read(BENCH)["memory_slopes"]}
    rows.append(("tetrominoes, training, MB an image and step", f"{slopes['published', 'train']:.3f}",
                 f"{slopes['native', 'train']:.4f}", NONE, NONE))  # fmt: skip
    loop, ours, unet = (gpu("H100", "tetrominoes/" + name, 64, engine)["wall_ms"] for name, engine in
                        (("nwm-linear", "eager"), ("nwm-linear", "cuda"), ("unet-4", None)))  # fmt: skip
    rows.append(("tetrominoes on an H100, training step of 64, ms", number(loop), f"{ours:.1f} ({loop / ours:.1f}x)",
                 NONE, number(unet)))  # fmt: skip
    loop = gpu("H100", "multi-mnist/nwm-linear", 64, "eager")["wall_ms"]
    ours = gpu("H200", "multi-mnist/nwm-linear", 64, "cuda", graphs=True)["wall_ms"]
    rows.append(
        ("Multi-MNIST, the same (ours on an H200)", number(loop), f"{ours:.0f} ({loop / ours:.1f}x)", NONE, NONE)
    )
    return Grid(columns, tuple(rows))


def bench(task: str, mode: str, contender: str) -> dict:
    """Return a row of the benchmark."""
    wanted = {"task": task, "mode": mode, "contender": contender}
    return next(row for row in read(BENCH)["speed"] if wanted.items() <= row.items())


def gpu(card: str, preset: str, batch: int, engine: str | None, thin: int = 1, graphs: bool = False) -> dict:
    """Return a training step that was timed on a GPU."""
    wanted = {"preset": preset, "batch": batch, "engine": engine, "thin": thin, "graphs": graphs}
    steps = read(RESULTS / "engine" / "gpu-steps.json")["steps"]
    return next(step for step in steps if wanted.items() <= step.items() and card in step["card"])


def faster(row: dict) -> str:
    """Return milliseconds and how many times as fast as the published loop."""
    return f"{number(row['wall_s']['median'] * 1e3)} ({row['wall_ratio']['median']:.1f}x)"


def number(value: float) -> str:
    """Return three digits."""
    return f"{value:#.3g}".rstrip(".")


def title(task: str) -> str:
    """Return a task's name as it is written."""
    return {"mnist": "MNIST", "multi-mnist": "Multi-MNIST"}.get(task, task)


def cpu(task: str) -> Callable[[], Grid]:
    """80,000 passes: foreground IoU seed by seed, beside the paper's."""

    def table() -> Grid:
        rows = []
        found = {network: runs(f"cpu/{task}/{network}") for network in NETWORKS}
        for network, tests in found.items():
            if not tests:
                continue
            paper = published(task, network)
            died = paper.collapsed if paper else 0
            cells = (NETWORKS[network], scores(tests, "foreground_iou", 3) + collapsed(tests),
                     deviation(tests, "foreground_iou") if len(tests) > 2 else NONE,
                     spread(tests, "dice"),
                     theirs(task, network, "foreground_iou") + (f", {died} collapsed" if died else ""),
                     f"{milliseconds(task, network):.1f}")  # fmt: skip
            rows.append(cells)
        passes = 300 * train_images(task) // 100_000 * 100_000
        paper = f"paper, {passes:,} passes"
        columns = ("network", "foreground IoU by seed", "mean ± std", "Dice", paper, "ms an image")
        return Grid(columns, tuple(rows))

    return table


def collapsed(tests: Iterable[dict]) -> str:
    """Say how many seeds call everything background."""
    count = sum(test["foreground_accuracy"] < 0.01 for test in tests)
    return f" ({count} collapsed)" if count else ""


def full_protocol() -> Grid:
    """The paper's own protocol: what was run of it."""
    place = RESULTS / "reproduce" / "paper" / "tetrominoes"
    rows = []
    for network, seed, file in (
        ("nwm-fast", 0, "evaluation-test.json"),
        ("nwm-fast", 1, "evaluation-test.json"),
        ("nwm-linear", 0, "evaluation-test-epoch-217.json"),
    ):
        run = place / network / f"seed-{seed}"
        test = read(run / file)
        history = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        at = {f"{passes:,}": min(history, key=lambda row, n=passes: abs(row["images"] - n))["val_foreground_iou"]
              for passes in (80_000, 1_000_000, 2_000_000)}  # fmt: skip
        rows.append((f"`{network}`", str(seed), f"{history[-1]['images']:,}", f"{test['foreground_accuracy']:.4f}",
                     f"{test['foreground_iou']:.4f}", f"{test['dice']:.4f}", *(f"{value:.3f}" for value in at.values()),
                     theirs("tetrominoes", network, "foreground_iou")))  # fmt: skip
    columns = ("network", "seed", "passes", "foreground accuracy", "foreground IoU", "Dice",
               "validation IoU after 80,000", "1,000,000", "2,000,000", "paper's IoU")  # fmt: skip
    return Grid(columns, tuple(rows))


PREDICTED = {  # foreground IoU, in LOG.md before any run of 80,000 passes
    "tetrominoes": {"nwm-linear": 0.80, "nwm-fft": 0.75, "nwm-last": 0.50, "lstm-linear": 0.65, "cnn-8": 0.55,
                    "resnet-8": 0.75, "unet-4": 0.97, "nwm-fast": 0.96},
    "mnist": {"nwm-linear": 0.70, "nwm-last": 0.30, "lstm-linear": 0.60, "unet-4": 0.93, "nwm-fast": 0.90},
    "multi-mnist": {"nwm-linear": 0.75, "unet-4": 0.90, "nwm-fast": 0.85},
}  # fmt: skip


def predicted() -> Grid:
    """What was predicted for 80,000 passes, and what came out."""
    rows = []
    for network, label in NETWORKS.items():
        cells = [label]
        for task in TASKS:
            said, tests = PREDICTED[task].get(network), runs(f"cpu/{task}/{network}")
            mean = statistics.fmean(test["foreground_iou"] for test in tests) if tests else 0.0
            cells.append(NONE if said is None else f"{said:.2f}, {mean:.2f}")
        rows.append(tuple(cells))
    return Grid(("network", *map(title, TASKS)), tuple(rows))


def pilots() -> Grid:
    """Single runs that looked for causes: the last epoch on validation images."""
    rows = []
    for name, what in (
        ("cpu-fast-b4", "tetrominoes, `nwm-fast`, seed 0, on a processor"),
        ("cpu-fast-b16", "the same, 16 images a step"),
        ("cpu-unet-b4", "tetrominoes, `unet-4`, seed 0, on a processor"),
        ("cpu-unet-s1-b16", "tetrominoes, `unet-4`, seed 1, 16 images a step"),
        ("cpu-unet-s1-he", "tetrominoes, `unet-4`, seed 1, He's start"),
        ("cpu-mnist-nwm-he", "MNIST, `nwm-linear`, seed 0, He's start"),
        ("cpu-mnist-nwm-long", "MNIST, `nwm-linear`, seed 0, twice the passes"),
    ):
        run = RESULTS / "optimisation" / name
        history = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        rows.append((f"[{what}](optimisation/{name}/metrics.jsonl)", f"{history[-1]['images']:,}",
                     f"{history[-1]['val_foreground_iou']:.3f}",
                     ", ".join(f"{row['val_foreground_iou']:.2f}" for row in history)))  # fmt: skip
    return Grid(("run", "passes", "foreground IoU, validation", "by epoch"), tuple(rows))


def hour_tetrominoes() -> Grid:
    """10,000 passes, seed by seed."""
    order = ("nwm-fast", "nwm-fft", "nwm-linear", "unet-4", "resnet-8", "nwm-last", "lstm-linear", "cnn-8")
    rows = []
    for network in order:
        tests = runs(f"hour/tetrominoes/{network}")
        paper = published("tetrominoes", network)
        rows.append((NETWORKS[network], scores(tests, "foreground_iou", 3) + collapsed(tests),
                     deviation(tests, "foreground_iou"),
                     f"{paper.foreground_iou.mean:.4f}" if paper else NONE))  # fmt: skip
    columns = ("network", "foreground IoU, seeds 0, 1, 2", "mean ± std", "paper, 300 times the passes")
    return Grid(columns, tuple(rows))


ABLATIONS = {
    "nwm-fast": "none (seeds 0, 1, 2)",
    "nwm-fast-steps-40": "40 steps instead of 20",
    "nwm-fast-dt-1": "steps of 1 instead of 0.5: twice the time",
    "nwm-fast-dense": "dense kernel instead of depthwise",
    "nwm-fast-fixed": "boundary fixed instead of periodic",
    "nwm-fast-reflecting": "boundary reflecting",
    "nwm-fast-absorbing": "boundary absorbing",
    "nwm-fast-identity": "coupling force without tanh",
    "nwm-fast-frozen": "kernel frozen at the Laplacian",
    "nwm-fast-alpha-constant": "alpha the same everywhere",
    "nwm-fast-omega-constant": "omega the same everywhere",
    "nwm-fast-medium-constant": "both the same everywhere",
    "nwm-fast-steps-10": "10 steps: half the time",
    "nwm-fast-dt-0.25": "steps of 0.25: half the time",
    "nwm-fast-steps-5": "5 steps: a quarter of the time",
    "nwm-fast-cut": "trained with coupling cut",
}


def ablations() -> Grid:
    """`nwm-fast` with one thing changed."""
    rows = ((what, scores(runs(f"hour/tetrominoes/{name}"), "foreground_iou", 3)) for name, what in ABLATIONS.items())
    return Grid(("change", "foreground IoU"), tuple(rows))


def starts() -> Grid:
    """How much of the image reaches the answer before training, and what He's start changes."""
    found = read(RESULTS / "optimisation" / "starts.json")["starts"]
    he = {name: runs(f"hour/tetrominoes/{name}-start-he") for name in ("lstm-linear", "cnn-8")}
    rows = []
    for network in sorted(found, key=lambda name: statistics.median(found[name]["logit_deviation"])):
        own, other = runs(f"hour/tetrominoes/{network}"), he.get(network, [])
        if network == "resnet-8":  # its own start is He's; torch's was tried once, on validation images
            lines = (RESULTS / "optimisation" / "resnet-default" / "metrics.jsonl").read_text().splitlines()
            torch, other = f"{json.loads(lines[-1])['val_foreground_iou']:.3f} (validation)", own[:1]
        else:
            torch = scores(own[:1], "foreground_iou", 3)
        rows.append((NETWORKS[network], f"{statistics.median(found[network]['logit_deviation']):.1g}", torch,
                     scores(other, "foreground_iou", 3)))  # fmt: skip
    columns = ("network", "deviation of the logits at the start", "IoU from torch's start, seed 0", "from He's, seed 0")
    return Grid(columns, tuple(rows))


def hour_others() -> Grid:
    """10,000 passes on the other tasks."""
    tasks = ("mnist", "polygons", "multi-mnist")
    rows = []
    for network in ("nwm-linear", "nwm-fast", "nwm-last", "lstm-linear", "unet-4", "cnn-8"):
        tests = [runs(f"hour/{task}/{network}") for task in tasks]
        paper = published("multi-mnist", network)
        rows.append((NETWORKS[network], *(scores(one, "foreground_iou", 3) + collapsed(one) for one in tests),
                     f"{paper.foreground_iou.mean:.4f}" if paper else NONE))  # fmt: skip
    return Grid(("network", *map(title, tasks), "paper, Multi-MNIST"), tuple(rows))


def tetrominoes() -> Grid:
    """The shipped network of one layer, its twins and its controls."""
    rows = []
    for label, run, file in (
        ("`nwm-fast`, shipped as `tetrominoes-fast`", "", "evaluation-test.json"),
        ("`nwm-fast`, seed 1, trained with the C engine", "-seed1", "evaluation-test.json"),
        ("`nwm-fast`, seed 1, the same in bfloat16", "-bf16", "evaluation-test.json"),
        ("`nwm-fast`, coupling zeroed after training", "", "evaluation-test-cut.json"),
        ("`nwm-fast`, trained with coupling cut", "-cut", "evaluation-test.json"),
    ):
        place = RESULTS / "runs" / f"tetrominoes-nwm-fast{run}"
        test = read(place / file)
        last = json.loads((place / "metrics.jsonl").read_text().splitlines()[-1])
        keys = ("foreground_accuracy", "foreground_iou", "mean_iou", "dice")
        rows.append((label, *(f"{test[key]:.4f}" for key in keys), f"{last['images']:,}",
                     f"{last['seconds']:,.0f}", f"[{file}](runs/{place.name}/{file})"))  # fmt: skip
    columns = ("network", "foreground accuracy", "foreground IoU", "class-mean IoU", "Dice", "passes", "wall seconds",
               "file")  # fmt: skip
    return Grid(columns, tuple(rows))


def images() -> Grid:
    """What a training image costs one core, by network and task."""
    rows = []
    for network, label in NETWORKS.items():
        found = [milliseconds(task, network) for task in TASKS]
        rows.append((label, *(NONE if value is None else f"{value:.1f}" for value in found)))
    return Grid(("network", *map(title, TASKS)), tuple(rows))


def gpu_steps() -> Grid:
    """Every training step that was timed on a GPU."""
    rows = []
    for step in read(RESULTS / "engine" / "gpu-steps.json")["steps"]:
        how = {"eager": "the loop", "cuda": "kernels", None: "torch"}[step["engine"]]
        rows.append((f"`{step['preset']}`", step["card"].split()[1], str(step["batch"]),
                     "all" if step["thin"] == 1 else f"1 in {step['thin']}",
                     how + (", graphs" if step["graphs"] else ""),
                     number(step["wall_ms"]), number(step["gpu_ms"]), f"{step['peak_gib']:.1f}"))  # fmt: skip
    columns = ("network", "card", "images", "pixels", "how", "wall ms", "of these on the GPU", "peak GiB")
    return Grid(columns, tuple(rows))


def gpu_stacks() -> Grid:
    """Stacks beside the U-Net on a GPU, under graphs in training."""
    steps = read(RESULTS / "stack" / "gpu-steps.json")["steps"]
    rows = []
    for network in ("unet-4", "nwm-stack", "nwm-modes", "frame-7x7"):
        row = [f"`{network}`"]
        for task in ("tetrominoes", "multi-mnist"):
            of = [step for step in steps if step["preset"] == f"{task}/{network}" and step["engine"] != "eager"]
            alone, graphs = sorted(of, key=lambda step: step["graphs"])
            row += [
                number(graphs["wall_ms"]),
                number(graphs["gpu_ms"]),
                number(alone["wall_ms"]),
                number(alone["infer_ms"]),
            ]
        rows.append(tuple(row))
    words = ("step in graphs", "on the GPU", "step without", "answer")
    return Grid(
        ("ms", *(f"{title(task)}, {word}" for task in ("tetrominoes", "multi-mnist") for word in words)), tuple(rows)
    )


def reduced() -> Grid:
    """The shipped network of one layer with and without bfloat16."""
    found = read(RESULTS / "engine" / "reduced_accuracy.json")
    rows = [(kind, *(f"{found[kind][key]:.4f}" for key in ("foreground_accuracy", "foreground_iou", "dice")))
            for kind in ("float32", "bfloat16")]  # fmt: skip
    rows.append(("labels that differ", f"{found['share_of_labels_that_differ']:.4%}", NONE, NONE))
    return Grid(("`tetrominoes-fast`", "foreground accuracy", "foreground IoU", "Dice"), tuple(rows))


def every_run() -> Grid:
    """Every run directory: scores, machine, commit."""
    rows = []
    tests = [path for folder in ("runs", "reproduce") for path in RESULTS.glob(f"{folder}/**/evaluation-test*.json")]
    for path in sorted(tests):
        place, test = path.parent.relative_to(RESULTS), read(path)
        about = path.parent / "environment.json"
        trained = read(about) if about.exists() else {}
        history = [json.loads(line) for line in (path.parent / "metrics.jsonl").read_text().splitlines()]
        rows.append((f"[{place}]({place})", path.stem.removeprefix("evaluation-"), f"{history[-1]['images']:,}",
                     *(f"{test[key]:.4f}" for key in ("foreground_accuracy", "foreground_iou", "dice")),
                     f"{history[-1]['seconds']:,.0f}",
                     trained.get("gpu") or trained.get("processor", NONE), trained.get("commit", NONE)))  # fmt: skip
    columns = ("run", "measured", "passes", "foreground accuracy", "foreground IoU", "Dice", "wall seconds",
               "trained on", "commit")  # fmt: skip
    return Grid(columns, tuple(rows))


def share(found: float, repeats: int) -> str:
    """Return a rate and its 95 % interval, Wilson's, from so many repeats."""
    low, high = binomtest(round(found * repeats), repeats).proportion_ci(method="wilson")
    return f"{found:.3f} ({low:.3f}-{high:.3f})"


def found_in(travelling: bool, columns: dict[str, str]) -> list[tuple[str, ...]]:
    """Return a row for each kind of recording: how often instruments, the keys of the columns, find waves in it."""
    known = read(RESULTS / "instruments" / "false-positives.json")
    return [
        (name, *(share(case[key], known["repeats"]) if key in case else NONE for key in columns))
        for name, case in known["cases"].items()
        if bool(case["travels"]) is travelling
    ]


def no_waves() -> Grid:
    """How often instruments find waves where there are none."""
    columns = {"rate": "`travels`, p <= 0.05", "epochs": "`detect`, an epoch",
               "shuffle": "channels shuffled, p <= 0.05", "half": "PGD > 0.5 for 50 ms"}  # fmt: skip
    cases = read(RESULTS / "instruments" / "false-positives.json")["cases"]
    rows = [
        (*row, f"{cases[row[0]]['half_frames']:.2f}" if "half" in cases[row[0]] else NONE)
        for row in found_in(False, columns)
    ]
    return Grid(("recording", *columns.values(), "frames with PGD > 0.5"), tuple(rows))


def waves() -> Grid:
    """How often instruments find waves where there are some."""
    columns = {"rate": "`travels`, p <= 0.05", "direction": "direction alone", "persistence": "persistence alone",
               "source": "source alone", "rotation": "rotation alone", "epochs": "`detect`, an epoch"}  # fmt: skip
    return Grid(("recording", *columns.values()), tuple(found_in(True, columns)))


def instrument_costs() -> Grid:
    """What the instruments cost on a minute of 256 channels."""
    known = read(RESULTS / "instruments" / "speed.json")
    rows = [
        (f"`{verb}`", f"{cost['cpu_seconds']:.1f}", f"{cost['wall_seconds']:.1f}", f"{cost['peak_gib']:.2f}")
        for verb, cost in known["verbs"].items()
    ]
    return Grid(("verb", "CPU s", "wall s", "peak GiB"), tuple(rows))


QUANTITIES = {"speed": ("speed_m_s", 0), "f0": ("f0_hz", 1), "tau": ("tau_s", 2)}  # and their places in a case


def operator_fits(part: str) -> dict[str, list[dict]]:
    """Return the fits of each kind of recording."""
    fits = read(RESULTS / "instruments" / f"operator-fit-{part}.json")["fits"]
    return {name: list(seeds.values()) for name, seeds in fits.items()}


def truth_of(name: str) -> list[float]:
    """Return speed (m/s), natural frequency (Hz) and decay time (s) of a medium called "0.2 m/s, 8 Hz, 50 ms, ..."."""
    speed, f0, tau = (float(part.split()[0]) for part in name.split(", ")[:3])
    return [speed, f0, tau / 1000]


def recovery() -> Grid:
    """How far the fit of a wave operator is from media that are known."""
    rows = []
    for name, fits in operator_fits("recovery").items():
        truth = truth_of(name)
        errors = [
            [abs(fit[key] / truth[i] - 1) for fit in fits if fit["identifiable"]] for key, i in QUANTITIES.values()
        ]
        worst = (f"{100 * max(one):.2g}" if one else NONE for one in errors)
        cost = sum(fit["cpu_s"] for fit in fits) / len(fits)
        rows.append((name, f"{len(errors[0])} of {len(fits)}", *worst, f"{cost:.0f}"))
    columns = ("medium: c, f0, tau, sites", "told", "worst error of c, %", "of f0, %", "of tau, %", "CPU s a fit")
    return Grid(columns, tuple(rows))


def coverage() -> Grid:
    """How often the intervals of the fit hold the truth."""
    ((name, fits),) = operator_fits("coverage").items()
    truth = truth_of(name)
    rows = []
    for label, (key, i) in QUANTITIES.items():
        held = sum(low <= truth[i] <= high for low, high in (fit[f"{key}_interval"] for fit in fits))
        values = [fit[key] / truth[i] - 1 for fit in fits]
        width = sum(fit[f"{key}_interval"][1] - fit[f"{key}_interval"][0] for fit in fits) / len(fits) / truth[i]
        rows.append((label, share(held / len(fits), len(fits)), f"{100 * sum(values) / len(values):+.2f}",
                     f"{50 * width:.2g}"))  # fmt: skip
    columns = (
        f"{name}, {len(fits)} recordings",
        "95 % intervals that hold the truth",
        "mean error, %",
        "half an interval, %",
    )
    return Grid(columns, tuple(rows))


def others() -> Grid:
    """What the fit says of recordings, also where there is no medium."""
    rows = []
    for name, fits in operator_fits("others").items():
        rival = [
            min(value for kind, value in fit["aic"].items() if kind != "wave") - fit["aic"]["wave"] for fit in fits
        ]
        why = {one.split(" (")[0].split(",")[0] for fit in fits for one in fit["why"][:1]}
        told = f"{sum(fit['identifiable'] for fit in fits)} of {len(fits)}"
        misfit = f"{max(fit['misfit'] for fit in fits):.2f}"
        rows.append((name, told, f"{min(rival):+.3g} to {max(rival):+.3g}", misfit, "; ".join(sorted(why)) or NONE))
    columns = ("recording, 8 x 8 sites, 200 Hz, 20 s", "called a wave medium", "AIC of the best rival less waves'",
               "largest misfit", "first reason why not")  # fmt: skip
    return Grid(columns, tuple(rows))


def kills() -> Grid:
    """Return what `diagnostics/nothing_lost.py` counted of killed processes."""
    columns = (
        "killed", "kills", "in a write", "runs", "identical", "files read", "half-written", "left over",
        "s without a kill",
    )  # fmt: skip
    found = read(RESULTS / "nothing-lost.json")["kills"]
    rows = [
        (name, seen["kills"], seen["aimed"], seen["runs"], seen["identical"], seen["looks"], len(seen["broken"]),
         len(seen["left"]), f"{seen['seconds']:.1f}")
        for name, seen in found.items()
    ]  # fmt: skip
    sums = [sum(column) for column in zip(*(row[1:-1] for row in rows), strict=True)]
    return Grid(columns, [[str(cell) for cell in row] for row in (*rows, ("all", *sums, NONE))])


def faults() -> Grid:
    """Return what `diagnostics/nothing_lost.py` saw of other faults."""
    rows = []
    for name, told in read(RESULTS / "nothing-lost.json")["faults"].items():
        codes, said = told["exit"], told.get("said", NONE)
        rows.append((
            name, ", ".join(map(str, codes if isinstance(codes, list) else [codes])),
            " / ".join(said if isinstance(said, list) else [said]), "yes" if told["identical"] else "no",
        ))  # fmt: skip
    return Grid(("fault", "exit", "said", "identical"), rows)


def data_rate() -> Grid:
    """Return what `diagnostics/data_rate.py` measured of making data, beside training on it."""
    columns = ("task", "drawn, once", "read again", "in a batch", "step of `nwm-stack`", "of `unet-4`", "batch / step")
    names, rows = ("draw", "read", "batch", "nwm-stack", "unet-4"), []
    for task, spent in read(RESULTS / "data-rate.json")["ms_an_image"].items():
        share = spent["batch"] / min(spent["nwm-stack"], spent["unet-4"])
        rows.append((task, *(f"{spent[name]:.3f}" for name in names), f"{share:.0%}"))
    return Grid(columns, tuple(rows))


TABLES: dict[str, Callable[[], Grid]] = {
    "results": results, "prices": prices, "rounds": rounds("wire"), "rounds-pathfinder": rounds("path"),
    "front-tetrominoes": front("tetrominoes"),
    "front-mnist": front("mnist"), "front-multi-mnist": front("multi-mnist"), "costs": costs,
    "cpu-tetrominoes": cpu("tetrominoes"), "cpu-mnist": cpu("mnist"), "cpu-multi-mnist": cpu("multi-mnist"),
    "full-protocol": full_protocol, "predicted": predicted, "pilots": pilots,
    "hour-tetrominoes": hour_tetrominoes, "ablations": ablations, "starts": starts, "hour-others": hour_others,
    "tetrominoes": tetrominoes, "images": images, "gpu-steps": gpu_steps,
    "gpu-stacks": gpu_stacks, "reduced": reduced, "every-run": every_run,
    "stacks": stacks, "variants": variants, "no-waves": no_waves, "waves": waves,
    "instrument-costs": instrument_costs, "recovery": recovery, "coverage": coverage, "others": others,
    "kills": kills, "faults": faults, "data-rate": data_rate,
}  # fmt: skip


def renewed(text: str) -> str:
    """Return a document with its tables written anew."""

    def table(found: re.Match) -> str:
        name = found[1]
        return f"<!-- table {name} -->\n{markdown([TABLES[name]()])}<!-- end {name} -->"

    return re.sub(r"<!-- table (\S+) -->\n.*?<!-- end \1 -->", table, text, flags=re.DOTALL)


def main() -> None:
    stale = [path for path in DOCUMENTS if renewed(path.read_text()) != path.read_text()]
    if "--check" in sys.argv:
        sys.exit("\n".join(f"{path.relative_to(ROOT)}: its tables are not those of the numbers" for path in stale) or 0)
    for path in stale:
        path.write_text(renewed(path.read_text()))
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
