"""`glassloom report RUN...`: the page about one or more runs."""

import shlex
import sys
from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, RUNS, option
from glassloom.cli.output import print_json, say


def report(
    *names: str,
    out: Annotated[
        str | None, option("The folder to write into; one run's page goes into its own folder if not given.", "DIR")
    ] = None,
    to: Annotated[
        str,
        option("html; pdf, printed by Chromium; latex or markdown, with their figures beside them.", "FORM"),
    ] = "html",
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Write the page about one or more runs on the same text.

    For example: glassloom report my-run
                 glassloom report 'gru*' 'lstm*' --to pdf --out both

    Parameters
    ----------
    names
        Runs, by name under --runs or by path; with * or ?, all that fit.
    """
    from glassloom.api import write_report

    path = write_report(list(names), out, to=to, root=runs, command=shlex.join(["glassloom", *sys.argv[1:]]))
    if json:
        print_json({"report": str(path)})
    else:
        say(str(path))
