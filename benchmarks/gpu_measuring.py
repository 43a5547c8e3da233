"""What the benchmarks on a GPU share: seconds by CUDA's own clock, captured graphs, rows kept one by one.

A script that is called again goes on where it stopped, so that each call can be short. Not yet run on a GPU.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from measuring import RESULTS, write

PLACE = Path(os.environ.get("GLASSLOOM_RESULTS", RESULTS))
"""Where the results go; another folder where the checkout is not what comes back."""


def gpu_or_exit() -> str:
    """The GPU's name; where there is none, one sentence and the end."""
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA device that torch can use here: this benchmark measures a GPU and nothing else.")
    return torch.cuda.get_device_name(0)


def seconds_on_gpu(work: Callable[[], object], least: float = 0.05) -> float:
    """Seconds of one call between two events on the stream, over as many calls as fill `least` seconds."""
    count = 1
    while True:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(count):
            work()
        end.record()
        end.synchronize()
        seconds = begin.elapsed_time(end) / 1000
        if seconds >= least or count >= 4096:
            return seconds / count
        count = min(4096, max(2 * count, int(1.2 * count * least / max(seconds, 1e-6))))


def warmed(work: Callable[[], object], calls: int = 5) -> Callable[[], object]:
    """The same work, after some calls: libraries loaded, kernels compiled and chosen."""
    for _ in range(calls):
        work()
    torch.cuda.synchronize()
    return work


def captured(work: Callable[[], object]) -> Callable[[], object]:
    """The same work as one captured graph, replayed; its launches cost next to nothing."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


class Rows:
    """The rows of one table in `PLACE/NAME.json`: those that are there are not measured again."""

    def __init__(self, name: str, command: str, minutes: float, **facts: Any) -> None:
        self.name, self.command, self.facts = name, command, facts
        self.path, self.until = PLACE / f"{name}.json", time.monotonic() + 60 * minutes
        told = json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}
        same = all(told.get(key) == value for key, value in facts.items())
        self.rows: list[dict[str, Any]] = told.get("rows", []) if same else []

    def lacks(self, **key: Any) -> bool:
        """Whether this row is still to be measured; where time is up, one sentence and the end."""
        if any(all(row.get(name) == value for name, value in key.items()) for row in self.rows):
            return False
        if time.monotonic() > self.until:
            sys.exit(f"Time is up after {len(self.rows)} rows; call this again, and it goes on from there.")
        return True

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row at once."""
        self.rows.append(row)
        write(self.name, self.command, self.rows, folder=PLACE, **self.facts)


def median(values: Sequence[float]) -> float:
    """The middle one of several."""
    return sorted(values)[len(values) // 2]
