"""`glassloom evaluate RUN`: score a run on held-out text, beside the baselines."""

from typing import Annotated

from cyclopts import Parameter

from glassloom.api import evaluate as score
from glassloom.cli.flags import DEBUG, JSON, RUNS
from glassloom.cli.output import print_json, say
from glassloom.cli.tables import baselines_table, figures_line


def evaluate(
    run: str,
    /,
    *,
    split: Annotated[str, Parameter(help="train, valid or test.")] = "valid",
    corpus: Annotated[str | None, Parameter(help="Another text than the run's own; its tokenizer is kept.")] = None,
    protocol: Annotated[
        str, Parameter(help="fair: every token once, context carried; streams: the PTB course project's.")
    ] = "fair",
    windows: Annotated[int | None, Parameter(help="Score in windows of so many tokens, nothing carried.")] = None,
    tokens: Annotated[int, Parameter(help="Score the first so many tokens only; 0 for all.")] = 0,
    batch_size: Annotated[int | None, Parameter(help="Rows, for the protocol streams; the run's own.")] = None,
    sequence_length: Annotated[int | None, Parameter(help="Window, for the protocol streams; the run's own.")] = None,
    step: Annotated[int | None, Parameter(help="Which checkpoint; the best if not given.")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Score a run on held-out text, every token once, beside the baselines.

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    """
    found = score(
        run, split, corpus=corpus, protocol=protocol, windows=windows, tokens=tokens, batch_size=batch_size,
        sequence_length=sequence_length, step=step, root=runs,
    )  # fmt: skip
    if json:
        print_json(found.as_dict())
        return
    say(f"{split}, {found.tokens:,} tokens, {found.protocol}:")
    say("  " + figures_line(found.figures.as_dict()))
    say(baselines_table(found.figures.as_dict(), found.baselines))
