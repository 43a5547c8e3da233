"""`glassloom evaluate RUN`: score a run on held-out text, beside the baselines."""

from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import print_json, say
from glassloom.cli.tables import baselines_table, figures_line


def evaluate(
    run: str,
    /,
    *,
    split: Annotated[str, option("train, valid or test.", "NAME")] = "valid",
    corpus: Annotated[str | None, option("Another text than the run's own; its tokenizer is kept.", "CORPUS")] = None,
    protocol: Annotated[
        str, option("fair: every token once, context carried; streams: the PTB course project's.", "NAME")
    ] = "fair",
    windows: Annotated[int | None, option("Score in windows of so many tokens, nothing carried.", "N")] = None,
    tokens: Annotated[int, option("Score the first so many tokens only; 0 for all.", "N")] = 0,
    batch_size: Annotated[
        int | None, option("Rows, for the protocol streams; the run's own if not given.", "N")
    ] = None,
    sequence_length: Annotated[
        int | None, option("Window, for the protocol streams; the run's own if not given.", "N")
    ] = None,
    step: Annotated[int | None, option("Which checkpoint; the best if not given.", "N")] = None,
    skip_unknown: Annotated[
        bool, switch("Leave out of --corpus the symbols that the tokenizer lacks instead of refusing the text.")
    ] = False,
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
    from glassloom.api import evaluate as score

    found = score(
        run, split, corpus=corpus, protocol=protocol, windows=windows, tokens=tokens, batch_size=batch_size,
        sequence_length=sequence_length, step=step, skip_unknown=skip_unknown, root=runs,
    )  # fmt: skip
    if json:
        print_json(found.as_dict())
        return
    say(f"{split}, {found.tokens:,} tokens, {found.protocol}:")
    say("  " + figures_line(found.figures.as_dict()))
    say(baselines_table(found.figures.as_dict(), found.baselines))
