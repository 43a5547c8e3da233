"""The doctor on files that it has never seen: how many sick ones it finds and names, how many healthy ones it doubts.

    python benchmarks/doctor/run.py [--seeds 5 --only PATTERN --kinds sick healthy --jobs 1 --name doctor]

Every file is examined by the whole command, `glassloom doctor FILE --json`, in a process of its own, once a seed. What
is expected of each lies in `cases/expected.toml`. Rates are over files (one counts as found only where every seed found
it), with exact 95 % bounds; seconds are those of the command from start to end, Python's start included.
"""

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from corpora import write_texts
from examining import examine
from figures import in_words, summary
from listed import Case, cases
from measuring import write


def examine_all(chosen: list[Case], seeds: int, jobs: int, name: str, command: str) -> list[dict[str, Any]]:
    """All rows, told as they come and written after every tenth, so that one who stops keeps what was done."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        texts = write_texts(Path(folder))
        work = [(case, seed) for seed in range(seeds) for case in chosen]
        for row in pool.map(lambda item: examine(*item, texts), work):
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="a pattern in the file's name, the expected name or the note")
    parser.add_argument("--kinds", nargs="+", default=["sick", "healthy"], choices=["sick", "healthy", "mended"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--name", default="doctor", help="of the JSON file among benchmarks/results")
    given = parser.parse_args()
    chosen = cases(tuple(given.kinds), given.only)
    if not chosen:
        parser.error("no case is like that")
    told(examine_all(chosen, given.seeds, given.jobs, given.name, " ".join(["python", *sys.argv])))


if __name__ == "__main__":
    main()
