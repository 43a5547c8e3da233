"""What the benchmarks share: two things timed in turns, their ratio with its spread, a real text, JSON results."""

import importlib.metadata
import json
import os
import platform
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def seconds_of(work: Callable[[], object], least: float = 0.15, between: Callable[[], object] | None = None) -> float:
    """Seconds of one call, over as many as fill `least` seconds; what is done in between two calls is not counted."""
    count, spent = 0, 0.0
    while spent < least:
        started = time.perf_counter()
        work()
        spent += time.perf_counter() - started
        count += 1
        if between is not None:
            between()
    return spent / count


def in_turns(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int, warm_up: int = 1
) -> list[tuple[float, float]]:
    """Each measures its own seconds, one right after the other, and who begins changes from round to round.

    The pairs hold ours first; the rounds that warm up are not among them.
    """
    pairs = []
    for number in range(rounds + warm_up):
        if number % 2:
            mine, other = ours(), theirs()
        else:
            other, mine = theirs(), ours()
        pairs.append((mine, other))
    return pairs[warm_up:]


def compared(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """How many times faster ours is: the median of the pairs' ratios, the lowest and the highest, and every pair.

    >>> compared([(1.0, 2.0), (1.0, 4.0), (2.0, 2.0)])["ratio"]
    2.0
    """
    ratios = sorted(other / mine for mine, other in pairs)
    return {
        "ratio": statistics.median(ratios),
        "lowest": ratios[0],
        "highest": ratios[-1],
        "seconds": [{"ours": mine, "theirs": other} for mine, other in pairs],
    }


def spread_in_words(row: dict[str, Any]) -> str:
    """A row of `compared` for the terminal: `1.52 (1.40 to 1.61)`."""
    return f"{row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"


def library_text() -> Iterator[str]:
    """The source code of Python's standard library, file by file, without end: real text that every machine has."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    while True:
        for path in files:
            yield path.read_text(encoding="utf-8", errors="replace").replace("\r", "")


def some_text(megabytes: float) -> str:
    """So many million characters of it."""
    parts, size = [], 0
    for part in library_text():
        parts.append(part)
        size += len(part)
        if size >= megabytes * 1e6:
            break
    return "".join(parts)[: int(megabytes * 1e6)]


def write(name: str, command: str, rows: Iterable[dict[str, Any]], folder: Path = RESULTS, **facts: Any) -> None:
    """`NAME.json` in a folder: the rows, on what machine they were measured, how busy it was, by which command."""
    told = {
        "command": command,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        **facts,
        "rows": list(rows),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
