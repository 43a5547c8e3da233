"""Every benchmark, one after the other: `make bench`. Results go to `benchmarks/results/` as JSON, and to the page.

    python benchmarks/run.py [--nanogpt DIR --text shakespeare.txt]

Peers that are no packages are given by their folder; without nanoGPT its rows stay as they were measured last. The
large file is a small one here, of 200 MB; `python benchmarks/large_file.py` makes the one of 2 GB. Costs are told at
fewer points, a minute is trained of the dearest architecture only, and rounds are few; each script alone has the whole.
Seven scripts run by themselves: `defaults.py` (45 trainings of a minute), `search_settings.py`, `plan_law.py` (what
the law of `glassloom plan` is made of), `plan.py` (five texts, a minute each), `recipe_or_kernel.py`,
`spinning_threads.py` (36 trainings, half of them beside a busy process), and `scaling.py` (two processes that need both
cores).
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import cost_growth
import data_and_start
import decoding
import large_file
import output_layer
import performance
import recurrent_layers
import studio
import time_to_quality
import tokenizing
import transformer_step

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, metavar="DIR", help="a clone of nanoGPT")
    parser.add_argument("--text", type=Path, metavar="FILE", help="tinyshakespeare")
    given = parser.parse_args()
    parts: list[tuple[ModuleType, Callable[[], None]]] = [
        (recurrent_layers, partial(recurrent_layers.main, rounds=2)),
        (output_layer, partial(output_layer.main, rounds=3)),
    ]
    if given.nanogpt:
        parts.append((decoding, partial(decoding.main, rounds=3, folder=given.nanogpt)))
        parts.append((transformer_step, partial(transformer_step.main, given.nanogpt, rounds=2)))
        if given.text:
            parts.append((time_to_quality, partial(time_to_quality.main, given.text, given.nanogpt, longer="")))
    parts += [
        (tokenizing, partial(tokenizing.main, rounds=3)),
        (large_file, partial(large_file.main, megabytes=200)),
        (data_and_start, partial(data_and_start.main, models=("transformer",), rounds=2)),
        (cost_growth, partial(cost_growth.main, short=True)),
        (studio, studio.main),
        (performance, performance.main),
    ]
    begun = time.perf_counter()
    for module, measure in parts:
        started = time.perf_counter()
        measure()
        print(f"--- {module.__name__}: {time.perf_counter() - started:.0f} s\n", flush=True)
    print(f"--- all: {(time.perf_counter() - begun) / 60:.1f} min")
