"""The doctor on files that it has never seen: how many sick ones it finds and names, how many healthy ones it doubts.

    python benchmarks/doctor/run.py [--seeds 5 --only PATTERN --kinds sick healthy --jobs 1 --name doctor]

Every file is examined by the whole command, `glassloom doctor FILE --json`, in a process of its own, once a seed; from
the second seed on in a fork of one that has imported everything. What is expected lies in `cases/expected.toml`. Rates
are over files (one counts as found only where every seed found it), with exact 95 % bounds; seconds are those of
the first seed's commands from start to end, Python's start included.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from listed import cases
from measured import examine_all, told


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
