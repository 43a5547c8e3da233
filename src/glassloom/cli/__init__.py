"""The command line: a command is one call and one printout. The only room that prints or exits."""

import os
import sys

SPINS = "1000"
"""Turns that one of torch's threads waits for another before it sleeps; see docs/decisions.md."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 unusable input, 130 or 143 interrupted."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # before torch is imported
    from glassloom.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
