"""`glassloom export RUN --to html`: leave with the model."""

from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, RUNS, option
from glassloom.cli.output import print_json, say
from glassloom.exchange import FORMATS

FORMAT = option(f"What it becomes: {'; '.join(f'{name}: {one.about}' for name, one in FORMATS.items())}.", "FORMAT")


def export(
    run: str,
    /,
    *,
    to: Annotated[str, FORMAT] = "html",
    out: Annotated[str | None, option("The file; in the run's own folder if not given.", "FILE")] = None,
    step: Annotated[int | None, option("Which checkpoint; the best if not given.", "N")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Take a run's model out: as a page in which it runs, offline, in any browser.

    For example: glassloom export my-run --to html
                 glassloom export my-run --to html --out my-model.html

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    """
    from glassloom.api import export as write

    path = write(run, to, out=out, step=step, root=runs)
    if json:
        print_json({"format": to, "file": str(path), "bytes": path.stat().st_size})
    else:
        say(str(path))
