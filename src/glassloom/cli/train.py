"""`glassloom train CORPUS`: train a model on a text."""

import shlex
import sys
from typing import Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import DEBUG, JSON, RUNS, all_flags, given
from glassloom.cli.output import aside, print_json, say
from glassloom.cli.progress import Watcher
from glassloom.cli.signals import interruptible
from glassloom.cli.tables import baselines_table, figures_line
from glassloom.training import dry_run
from glassloom.training import train as start_training

Settings: Any = all_flags()
NOTHING_GIVEN = Settings()


def train(
    corpus: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="The run's name; made from text and model if not given.")] = None,
    runs: RUNS = "runs",
    resume: Annotated[
        bool, Parameter(negative=(), help="Go on with the run, or start it where there is none.")
    ] = False,
    replace: Annotated[bool, Parameter(negative=(), help="Start anew where the run exists.")] = False,
    from_: Annotated[
        str | None, Parameter(name="--from", help="Begin with the weights and the tokenizer of another run.")
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative=(), help="Print the model layer by layer and the time it will take; train nothing.")
    ] = False,
    json: JSON = False,
    debug: DEBUG = False,
    settings: Annotated[Settings, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Train a model on a text.

    Examples: `glassloom train novel.txt`, `glassloom train shakespeare --model transformer --minutes 2`,
    `cat *.txt | glassloom train - --model lstm --epochs 3`.

    Parameters
    ----------
    corpus
        A file, a folder, - for standard input, or the name of a listed corpus (see `glassloom corpora`).
    """
    if dry_run:
        return show_plan(corpus, given(settings), json)
    command = shlex.join(["glassloom", *sys.argv[1:]])
    watcher = Watcher()
    with interruptible() as interrupt:
        try:
            result = start_training(
                corpus, given(settings), root=runs, name=name, resume=resume, replace=replace, start_from=from_,
                command=command, on_event=watcher, stop=interrupt,
            )  # fmt: skip
        finally:
            watcher.close()
    if result.status == "interrupted":
        aside(f"saved at step {result.steps:,}; the same command with --resume --name {result.run.name} goes on")
        if json:
            print_json(result.as_dict())
        return interrupt.exit_code
    if json:
        print_json(result.as_dict())
        return 0
    best = result.best
    say(f"\nbest at step {best['step']:,}, on {best['tokens']:,} tokens of valid ({best['protocol']}):")
    say("  " + figures_line(best))
    say(baselines_table(result.best, result.baselines))
    say(f"\nglassloom generate {result.run.path} --prompt ...   lets it write")
    return 0


def show_plan(corpus: str, settings: dict[str, Any], as_json: bool) -> int:
    """The model layer by layer, memory, FLOPs and time."""
    plan = dry_run(corpus, settings)
    if as_json:
        print_json(plan.as_dict())
    else:
        say(plan.as_text())
    return 0
