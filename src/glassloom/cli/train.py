"""`glassloom train CORPUS`: train a model on a text."""

import shlex
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import all_flags, given
from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import aside, print_json, say
from glassloom.cli.signals import Interrupt, interruptible
from glassloom.cli.tables import baselines_table, figures_line
from glassloom.cli.workers import check_workers, is_heard, launch

if TYPE_CHECKING:
    from glassloom.cli.progress import Watcher
    from glassloom.training import DryRun
    from glassloom.training.events import Event

Settings: Any = all_flags()
NOTHING_GIVEN = Settings()


def train(
    corpus: str,
    /,
    *,
    name: Annotated[str | None, option("The run's name; made from text and model if not given.", "NAME")] = None,
    runs: RUNS = "runs",
    resume: Annotated[bool, switch("Go on with the run, or start it where there is none.")] = False,
    replace: Annotated[bool, switch("Start anew where the run exists.")] = False,
    from_: Annotated[
        str | None, option("Begin with the weights and the tokenizer of another run.", "RUN", name="--from")
    ] = None,
    fast: Annotated[
        bool, switch("A small model in seconds: a GRU, 200 updates; settings that are given stand above it.")
    ] = False,
    dry_run: Annotated[
        bool, switch("Print the model layer by layer and the time it will take; train nothing.")
    ] = False,
    workers: Annotated[
        int | None, option("Train in so many processes of this machine, each with its share of every batch.", "N")
    ] = None,
    shard: Annotated[
        bool, switch("With workers: each keeps a share of every weight, for a transformer that one device cannot hold.")
    ] = False,
    max_restarts: Annotated[
        int, option("When a worker dies, start all of them again, so often, from the last checkpoint.", "N")
    ] = 3,
    json: JSON = False,
    debug: DEBUG = False,
    settings: Annotated[Settings, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Train a model on a text.

    For example: glassloom train novel.txt --minutes 5
                 glassloom train novel.txt --fast
                 glassloom train shakespeare --model transformer
                 cat *.txt | glassloom train - --model lstm --epochs 3
                 glassloom train novel.txt --workers 2
                 torchrun --nproc-per-node 2 -m glassloom train novel.txt

    Behind each setting: (what it may be) [what it is if not given], for each
    model where they differ; the word none unsets it. A setting's full name
    has its section in front: --data.tokenizer, --model.width, --train.lr.

    Parameters
    ----------
    corpus
        A file, a folder, - for standard input, or the name of a listed corpus (see glassloom corpora).
    """
    if not dry_run and check_workers(workers):
        return launch(sys.argv[1:], workers or 1, max_restarts)
    from glassloom.cli.progress import Watcher
    from glassloom.training import dry_run as foretell
    from glassloom.training import train as start_training

    asked = given(settings)
    if dry_run:
        plan = foretell(
            corpus, asked, root=runs, name=name, resume=resume, replace=replace, start_from=from_, fast=fast,
        )  # fmt: skip
        return show_plan(plan, json)
    command = shlex.join(["glassloom", *sys.argv[1:]])
    watcher = Watcher(quiet=not is_heard())
    with interruptible() as interrupt:
        try:
            result = start_training(
                corpus, asked, root=runs, name=name, resume=resume, replace=replace, start_from=from_, fast=fast,
                command=command, on_event=deferring(interrupt, watcher), stop=interrupt, shard=shard,
            )  # fmt: skip
        finally:
            watcher.close()
    if not is_heard():
        return interrupt.exit_code if result.status == "interrupted" else 0
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
    say("\n" + time_line(result.seconds, result.beside))
    say(f"\nglassloom generate {result.run.path} --prompt ...   lets it write")
    return 0


def time_line(seconds: float, beside: Mapping[str, float]) -> str:
    """What the time of a training went to, and how much scoring and saving took, as a share of the steps' own."""
    from glassloom.training.spent import share

    parts = ", ".join(f"{name} {spent:.1f} s" for name, spent in beside.items())
    return f"training took {seconds:.1f} s; beside it {parts}: to score and to save, {share(seconds, beside):.1%}"


def deferring(interrupt: Interrupt, watcher: "Watcher") -> "Callable[[Event], None]":
    """Watch, and let a signal wait for the step to end from the first step to the last."""
    from glassloom.training.events import Began, Finished

    def watch(event: "Event") -> None:
        match event:
            case Began():
                interrupt.defer()
            case Finished():
                interrupt.hasten()
        watcher(event)

    return watch


def show_plan(plan: "DryRun", as_json: bool) -> int:
    """The model layer by layer, memory, FLOPs and time."""
    if as_json:
        print_json(plan.as_dict())
    else:
        say(plan.as_text())
    return 0
