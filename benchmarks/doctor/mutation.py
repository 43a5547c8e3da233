"""Faults put into our own architectures automatically: how many the doctor finds and names.

    python benchmarks/doctor/mutation.py [--seeds 5 --only PATTERN --jobs 1]

Each of the four architectures with each mutation of `mutations.py` that makes sense in it, and each as it is (alone,
with a loop, with carried state, with a decoder), under the whole command as in `run.py`, with the same figures.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from listed import Case
from measured import examine_all, told
from mutations import EVERY, MUTATIONS, SOUND

FILE = """import sys

sys.path.insert(0, {folder!r})

from mutations import mutant

globals().update(mutant({architecture!r}, {mutation!r}))
"""


def mutants(only: str = "") -> list[Case]:
    """Every mutant, and every architecture without a fault, as a case."""
    folder, found = str(Path(__file__).parent), []
    for architecture in EVERY:
        for mutation in (*MUTATIONS, *SOUND):
            name, where, _ = MUTATIONS.get(mutation, ("", EVERY, None))
            if architecture in where:
                source = FILE.format(folder=folder, architecture=architecture, mutation=mutation)
                kind = "sick" if name else "healthy"
                found.append(Case(kind, f"{architecture}_{mutation}.py", (name,) if name else (), source=source))
    return [case for case in found if re.search(only, " ".join((case.id, *case.names)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="a pattern in the mutant's name or the expected one")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--name", default="doctor_mutation", help="of the JSON file among benchmarks/results")
    given = parser.parse_args()
    chosen = mutants(given.only)
    if not chosen:
        parser.error("no mutant is like that")
    told(examine_all(chosen, given.seeds, given.jobs, given.name, " ".join(["python", *sys.argv])))


if __name__ == "__main__":
    main()
