"""`glassloom evaluate RUN`: score a run, or the average of several, on held-out text, beside the baselines."""

from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import print_json, say, table
from glassloom.cli.tables import baselines_table, figures_line
from glassloom.errors import SettingError


def evaluate(
    run: str,
    /,
    *,
    with_: Annotated[
        str | None, option("Average the probabilities with those of these runs: RUN2,RUN3.", "RUNS", "--with")
    ] = None,
    weights: Annotated[
        str | None,
        option("Of an average: 0.6,0.4, or valid for the best ones there; equal if not given.", "NUMBERS"),
    ] = None,
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
    harness: Annotated[
        str | None,
        option("Let lm-evaluation-harness score the run on its tasks instead: names, or YAML files.", "TASKS"),
    ] = None,
    limit: Annotated[int | None, option("With --harness: the first so many documents of each task.", "N")] = None,
    shots: Annotated[int | None, option("With --harness: so many examples before each document.", "N")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Score a run on held-out text, every token once, beside the baselines; or the average of several runs.

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    """
    if harness is not None:
        score_by_harness(run, harness, step=step, skip_unknown=skip_unknown, limit=limit, shots=shots, root=runs,
                         as_json=json)  # fmt: skip
        return
    if limit is not None or shots is not None:
        raise SettingError("--limit and --shots are for --harness", "a task of lm-eval", "give --harness, or drop them")
    from glassloom.api import evaluate as score

    others = [name.strip() for name in (with_ or "").split(",") if name.strip()]
    found = score(
        [run, *others], split, weights=numbers(weights), corpus=corpus, protocol=protocol, windows=windows,
        tokens=tokens, batch_size=batch_size, sequence_length=sequence_length, step=step, skip_unknown=skip_unknown,
        root=runs,
    )  # fmt: skip
    if json:
        print_json(found.as_dict())
        return
    say(f"{split}, {found.tokens:,} tokens, {found.protocol}:")
    say("  " + figures_line(found.figures.as_dict()))
    for one in found.runs:
        say(f"  {one['weight']:.3f} of {one['run']} ({one['model']}): {one['nats_per_token']:.4f} nats per token alone")
    say(baselines_table(found.figures.as_dict(), found.baselines))


def score_by_harness(
    run: str, tasks: str, *, root: str, as_json: bool, step: int | None, skip_unknown: bool, limit: int | None,
    shots: int | None,
) -> None:  # fmt: skip
    """Every figure of every task, as lm-eval has them."""
    from glassloom.exchange.harness import score
    from glassloom.runs import load_run

    names = [name.strip() for name in tasks.split(",") if name.strip()]
    if not names or any(number is not None and number < 1 for number in (limit,)):
        raise SettingError("--harness names no task, or --limit no document", "names with commas; at least 1",
                           "see `lm_eval ls tasks`")  # fmt: skip
    found = score(load_run(run, root), names, step=step, skip_unknown=skip_unknown, limit=limit, shots=shots)
    if as_json:
        print_json(found)
        return
    rows = [
        [task, name.partition(",")[0], f"{value:.4f}"]
        for task, figures in found["results"].items()
        for name, value in figures.items()
        if isinstance(value, float) and "_stderr" not in name
    ]
    say(table(rows, ["task", "figure", "value"], texts=(0, 1)))


def numbers(weights: str | None) -> list[float] | str | None:
    """Weights as they are written: numbers with commas, or the split that they are chosen on.

    >>> numbers("0.6,0.4"), numbers("valid")
    ([0.6, 0.4], 'valid')
    """
    try:
        return [float(part) for part in weights.split(",")] if weights else None
    except ValueError:
        return weights
