"""`glassloom export RUN --to html` (or huggingface, onnx, gguf): leave with the model."""

from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, RUNS, option
from glassloom.cli.output import print_json, say
from glassloom.exchange import FORMATS
from glassloom.storage import bytes_in

FORMAT = option(f"What it becomes: {'; '.join(f'{name}: {one.about}' for name, one in FORMATS.items())}.", "FORMAT")


def export(
    run: str,
    /,
    *,
    to: Annotated[str, FORMAT] = "html",
    out: Annotated[str | None, option("The file or folder; in the run's own folder if not given.", "PATH")] = None,
    step: Annotated[int | None, option("Which checkpoint; the best if not given.", "N")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Take a run's model out: as a page in which it runs, offline, in any browser, or for another library.

    For example: glassloom export my-run --to html --out my-model.html
                 glassloom export my-run --to huggingface --out my-model

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    """
    from glassloom.api import export as write

    path = write(run, to, out=out, step=step, root=runs)
    size = bytes_in(path) if path.is_dir() else path.stat().st_size
    if json:
        print_json({"format": to, "file": str(path), "bytes": size})
    else:
        say(str(path))
