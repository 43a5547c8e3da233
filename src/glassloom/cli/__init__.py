"""The command line: a command is one call and one printout. The only room that prints or exits."""

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 unusable input, 130 or 143 interrupted."""
    from glassloom.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
