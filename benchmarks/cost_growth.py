"""How cost grows: time per token and peak memory against width, layers, sequence length, batch, vocabulary, corpus.

    python benchmarks/cost_growth.py [--short] [--models rnn,gru,lstm,transformer]

One thing grows at a time, the others stay at the base. Every point is a process of its own, forked from one that has
everything imported: it opens the text, takes steps through the product's own state (forward, backward, optimizer), and
says the median time of a step over its tokens, and its peak of resident memory beyond what it held before. The
exponent is that of a straight line through the logarithms of the upper end, the last `UPPER` points, by least squares;
its residual is the root mean square distance from that line, as a factor less 1. An exponent of 0 is no growth. Pages
of mapped files (the prepared text, libraries) count as resident, though the system drops them when it needs the room:
they are told apart, and the fits and plots of memory are of the rest.

JSON goes to benchmarks/results/, the plots to docs/pictures/ (with --short, which has fewer points, no plots).
"""

import argparse
import math
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassloom.cli import SPINS
from large_file import HELD_OUT_BYTES, make_file, peak_bytes
from measuring import write

MODELS = ("rnn", "gru", "lstm", "transformer")
BASE = {"width": 128, "layers": 2, "sequence_length": 64, "batch_size": 32, "vocabulary": 64, "megabytes": 1}
AXES: dict[str, tuple[int, ...]] = {
    "width": (64, 128, 256, 512, 1024),
    "layers": (1, 2, 4, 8, 16),
    "sequence_length": (16, 32, 64, 128, 256, 512, 1024),
    "batch_size": (1, 4, 16, 64, 256),
    "vocabulary": (64, 256, 1024, 4096, 16384),
    "megabytes": (1, 10, 100, 1000),
}
SHORT: dict[str, tuple[int, ...]] = {
    "width": (128, 256, 512),
    "layers": (2, 4, 8),
    "sequence_length": (64, 128, 256),
    "batch_size": (16, 64, 256),
    "vocabulary": (256, 1024, 4096),
    "megabytes": (1, 10, 100),
}
TITLES = {
    "width": "width", "layers": "layers", "sequence_length": "tokens of a row in one step",
    "batch_size": "rows of a batch", "vocabulary": "vocabulary", "megabytes": "corpus, MB",
}  # fmt: skip
UPPER = 3
LEAST_STEPS, LEAST_SECONDS = 5, 0.5
SYMBOLS = 0x4E00
"""A vocabulary of any size is that many of the characters from here on."""
PRELOADED = ["cost_growth", "glassloom.training", "glassloom.data.prepare", "glassloom.data.corpora"]
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


@dataclass(frozen=True)
class Point:
    """What is measured: an architecture, the thing that grows, and how much of it there is."""

    model: str
    axis: str
    value: int
    text: str
    cache: str


def measure(point: Point) -> dict[str, Any]:
    """Time per token and peak memory of one point; runs in a process of its own."""
    from glassloom.data import DataSettings, load_corpus
    from glassloom.training.prepared import prepare
    from glassloom.training.state import TrainingState

    before, mapped_before = peak_bytes(), mapped_bytes()
    size = {**BASE, point.axis: point.value}
    given = {name: size[name] for name in ("width", "layers", "sequence_length", "batch_size")}
    if point.model == "transformer":
        given |= {"context": size["sequence_length"], "heads": max(1, size["width"] // 32)}
    text = Path(point.text)
    held_out = 100 * HELD_OUT_BYTES / text.stat().st_size
    settings = DataSettings(split=f"{100 - held_out:.6f},{held_out:.6f}" if point.axis == "megabytes" else "90,10")
    corpus = load_corpus(text, settings, cache=Path(point.cache))
    prepared = prepare(corpus, {"model": point.model, **given}, root=Path(point.cache) / "none")
    state = TrainingState(prepared.config, corpus)
    seconds: list[float] = []
    started = time.perf_counter()
    while len(seconds) < LEAST_STEPS + 1 or time.perf_counter() - started < LEAST_SECONDS:
        begun = time.perf_counter()
        state.update(next(state.batches), 1.0)
        seconds.append(time.perf_counter() - begun)
    return {
        "model": point.model,
        "axis": point.axis,
        "value": point.value,
        "microseconds_per_token": 1e6 * statistics.median(seconds[1:]) / state.tokens_per_step(),
        "steps": len(seconds) - 1,
        "memory_beyond_imports_bytes": peak_bytes() - before,
        "mapped_file_bytes": max(0, mapped_bytes() - mapped_before),
    }


def mapped_bytes() -> int:
    """How much of files is mapped into memory now, libraries and the ids of the text; the system may drop it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile")), 0)


def points(axes: dict[str, tuple[int, ...]], models: Sequence[str], folder: Path) -> Iterator[Point]:
    """Every point, its text written and prepared; a text is made once and goes when the next one is there."""
    vocabularies = {BASE["vocabulary"], *axes["vocabulary"]}
    for size in vocabularies:
        drawn = random.Random(size)
        symbols = [chr(SYMBOLS + place) for place in range(size)]
        text = "".join(symbols) + "".join(drawn.choices(symbols, k=400_000))
        (folder / f"vocabulary-{size}.txt").write_text(text, "utf-8")
    for axis, values in axes.items():
        for value in values:
            if axis == "megabytes":
                path = folder / "large.txt"
                make_file(path, value)
                cache = folder / f"cache of {value} MB"
            else:
                size = value if axis == "vocabulary" else BASE["vocabulary"]
                path, cache = folder / f"vocabulary-{size}.txt", folder / "cache"
            for model in models:
                yield Point(model, axis, value, str(path), str(cache))


def measured(axes: dict[str, tuple[int, ...]], models: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every point, one after the other; where a text is not prepared yet, one process does that and no more."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder, context.Pool(1, maxtasksperchild=1) as pool:
        ready: set[str] = set()
        for point in points(axes, models, Path(folder)):
            if f"{point.text} {point.cache}" not in ready:
                pool.apply(measure, (point,))
                ready.add(f"{point.text} {point.cache}")
            yield pool.apply(measure, (point,))


def exponent(values: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """The slope of log cost against log value by least squares, and the residual as a factor less 1.

    >>> exponent([1, 2, 4], [3, 12, 48])
    (2.0, 0.0)
    """
    x, y = [math.log(value) for value in values], [math.log(cost) for cost in costs]
    slope, start = statistics.linear_regression(x, y)
    rest = [b - start - slope * a for a, b in zip(x, y, strict=True)]
    return round(slope, 3), round(math.exp(math.sqrt(sum(r * r for r in rest) / len(rest))) - 1, 4)


def fits(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The exponents of every axis and model, of time and of memory, at the upper end."""
    for axis, model in dict.fromkeys((row["axis"], row["model"]) for row in rows):
        upper = [row for row in rows if (row["axis"], row["model"]) == (axis, model)][-UPPER:]
        values = [row["value"] for row in upper]
        time_slope, time_rest = exponent(values, [row["microseconds_per_token"] for row in upper])
        slope, rest = exponent(values, [own_bytes(row) for row in upper])
        yield {
            "axis": axis, "model": model, "from": values[0], "to": values[-1], "time_exponent": time_slope,
            "time_residual": time_rest, "memory_exponent": slope, "memory_residual": rest,
        }  # fmt: skip


def own_bytes(row: dict[str, Any]) -> int:
    """Peak memory without mapped files."""
    return int(row["memory_beyond_imports_bytes"]) - int(row["mapped_file_bytes"])


def draw(rows: Sequence[dict[str, Any]], fitted: Sequence[dict[str, Any]]) -> None:
    """A plot of time and one of memory for each axis, both axes logarithmic, the exponents in the legend."""
    from glassloom.exhibits import Axis, Lines, Series
    from glassloom.report.drawing import as_svg, show

    kinds = (
        ("time", lambda row: row["microseconds_per_token"], "microseconds a token"),
        ("memory", lambda row: own_bytes(row) / 1e6, "peak memory beyond imports, MB"),
    )
    slopes = {(one["axis"], one["model"]): one for one in fitted}
    for axis in dict.fromkeys(row["axis"] for row in rows):
        for kind, cost, title in kinds:
            series = []
            for model in dict.fromkeys(row["model"] for row in rows):
                mine = [row for row in rows if (row["axis"], row["model"]) == (axis, model)]
                slope = slopes[axis, model][f"{kind}_exponent"]
                x = tuple(float(row["value"]) for row in mine)
                y = tuple(cost(row) for row in mine)
                series.append(Series(name=f"{model}, exponent {slope:.2f}", x=x, y=y))
            name = f"cost-{kind}-{axis.replace('_', '-')}"
            over, up = Axis(TITLES[axis], log=True), Axis(title, log=True)
            lines = Lines(name=name, title=f"{title} against {TITLES[axis]}", x=over, y=up, series=tuple(series))
            svg = as_svg(show(lines))
            assert svg is not None
            (PICTURES / f"{name}.svg").write_text(svg, "utf-8")


def main(short: bool = False, models: Iterable[str] = MODELS) -> None:
    """Measure, fit, print, write JSON and, where all points are there, the plots."""
    models = tuple(models)
    rows = []
    for row in measured(SHORT if short else AXES, models):
        print(
            f"{row['axis']:<16} {row['value']:>6} {row['model']:<12} {row['microseconds_per_token']:>9.2f} µs/token "
            f"{own_bytes(row) / 1e6:>8.0f} MB and {row['mapped_file_bytes'] / 1e6:.0f} of mapped files",
            flush=True,
        )
        rows.append(row)
    fitted = list(fits(rows))
    print(f"\n{'upper end of':<16} {'model':<12} {'time ~':>8} {'residual':>9} {'memory ~':>9} {'residual':>9}")
    for one in fitted:
        print(
            f"{one['axis']:<16} {one['model']:<12} {one['time_exponent']:>8.2f} {one['time_residual']:>9.1%} "
            f"{one['memory_exponent']:>9.2f} {one['memory_residual']:>9.1%}"
        )
    command = f"python benchmarks/cost_growth.py{' --short' if short else ''} --models {','.join(models)}"
    write("cost_growth_short" if short else "cost_growth", command, rows, base=BASE, fits=fitted)
    if not short:
        draw(rows, fitted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--models", default=",".join(MODELS))
    asked = parser.parse_args()
    main(asked.short, asked.models.split(","))
