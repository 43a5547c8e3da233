"""The options of commands that are no settings: what all of them share, and how one command's own is made."""

from typing import Annotated

from cyclopts import Group, Parameter

COMMAND = Group("This command", sort_key=1)

JSON = Annotated[
    bool, Parameter(name="--json", negative=(), show_default=False, help="Print one JSON object, last.", group=COMMAND)
]
DEBUG = Annotated[
    bool,
    Parameter(name="--debug", negative=(), show_default=False, help="Show a traceback for an error.", group=COMMAND),
]
RUNS = Annotated[str, Parameter(name="--runs", metavar="DIR", help="The folder of runs.", group=COMMAND)]


def option(help: str, metavar: str | None = None, name: str | None = None) -> Parameter:
    """An option of one command that takes a value."""
    return Parameter(name=name, help=help, metavar=metavar, group=COMMAND)


def switch(help: str) -> Parameter:
    """An option of one command that is there or not."""
    return Parameter(help=help, negative=(), show_default=False, group=COMMAND)


JOBS = Annotated[
    int | None,
    option("Runs at once: on this machine 1 if not given, with shared threads; on Ray all that have room.", "N"),
]
ON = Annotated[
    str | None,
    option(
        "Train over machines: ray (on this one), ray://HOST:10001 or HOST:6379; docs/cluster.md says more.", "PLACE"
    ),
]
CPUS = Annotated[int | None, option("On a cluster: CPUs, and so threads, for each run; 1 if not given.", "N")]
GPUS = Annotated[float | None, option("On a cluster: GPUs for each run, also a share as 0.5; 0 if not given.", "X")]
