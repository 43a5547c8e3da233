"""Many cases under the doctor: every row as it comes, and the figures at the end."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import warm
from corpora import write_texts
from examining import examine
from figures import in_words, summary
from listed import Case
from measuring import write


def examine_all(chosen: list[Case], seeds: int, jobs: int, name: str, command: str) -> list[dict[str, Any]]:
    """All rows, told as they come and written after every tenth, so that one who stops keeps what was done.

    The first seed is that of whole commands, which are timed; the others run in forks (`warm.py`).
    """
    rows: list[dict[str, Any]] = []
    forks = warm.prepared()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        texts = write_texts(Path(folder))
        work = [(case, seed) for seed in range(seeds) for case in chosen]
        for row in pool.map(lambda item: examine(*item, texts, forks=forks if item[1] else None), work):
            rows.append(row)
            mark = "  " if row["right"] else "**"
            said = row.get("error", "")[-160:].replace("\n", " ") or ", ".join(row["named"]) or row["verdict"]
            expected = row["expected"][0] if row["expected"] else "healthy"
            print(f"{mark} {row['case']:32} {expected:28} {row['seconds']:6.1f} s  {said}", flush=True)
            if len(rows) % 10 == 0 or len(rows) == len(work):
                write(name, command, rows, summary=summary(rows), seeds=seeds)
    return rows


def told(rows: list[dict[str, Any]]) -> None:
    """The figures, for the terminal."""
    figures = summary(rows)
    print()
    for name, line in figures["names"].items():
        instead = f"  instead: {', '.join(line['instead'])}" if line["instead"] else ""
        print(f"{name:28} {line['detected']:3} found, {line['right']:3} named first, of {line['runs']:3}{instead}")
    print()
    print("sick files found:        ", in_words(figures["detected"]))
    print("named right, first:      ", in_words(figures["right_name_first"]))
    print("healthy files called sick:", in_words(figures["false_alarms"]))
    if rows:
        print(f"seconds: median {figures['seconds_median']:.1f}, most {figures['seconds_most']:.1f}")
    print("could not be examined:   ", figures["errors"])
