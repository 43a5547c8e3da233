"""What a run that goes on may change, and what it may not: more of its budget, and how it is watched."""

from collections.abc import Mapping
from typing import Any

from glassloom.config import BUDGETS, Config
from glassloom.data.batches import epoch_of
from glassloom.data.corpus import Corpus
from glassloom.errors import RunError
from glassloom.runs import Run

WATCHING = ("tensorboard",)
"""What changes nothing of a training."""


def check_unchanged(run: Run, given: Mapping[str, Any], corpus: Corpus) -> None:
    """A run goes on only with the settings and the text that it began with; its budget may change, and who watches.

    Raises:
        RunError: a setting or the text differs (named), or the run was trained elsewhere.
    """
    if run.imported:
        raise RunError(
            f"Run {run.name} was trained elsewhere: its optimizer, its settings of training and its text are not known",
            "a run that was begun here",
            f"train it on as a run of its own: glassloom train CORPUS --from {run.name} --name ANOTHER",
        )
    stored = run.config.flat()
    asked = Config.from_flat({"model": run.config.architecture, **given}).flat()
    for name in given:
        if name in (*BUDGETS, *WATCHING) or asked[name] == "auto" or asked[name] == stored[name]:
            continue
        raise RunError(
            f"Run {run.name} was begun with {name} {stored[name]}, not {asked[name]}",
            "the settings that it was begun with",
            f"drop --{name.replace('_', '-')}, or train under another --name without --resume",
        )
    if corpus.sha256 != run.corpus["sha256"]:
        raise RunError(
            f"Run {run.name} was begun on another text ({run.corpus['source']}, SHA-256 {run.corpus['sha256'][:12]})",
            "the very same text",
            "give that text, or begin a new run with --from",
        )
    if corpus.fingerprint != run.corpus["fingerprint"]:
        raise RunError(
            f"Run {run.name} was begun on the same text, but split or tokenized differently "
            f"({run.corpus['split_rule']}; {run.corpus['tokenizer']})",
            "the same tokens",
            "drop the settings of the text, or begin a new run with --from",
        )


def used(run: Run, budget: str) -> float:
    """How much of a kind of budget a run has used, by its newest checkpoint."""
    progress = run.newest().progress()
    batches = progress["batches"]
    amounts = {
        "steps": progress["step"],
        "train_tokens": progress["tokens"],
        "minutes": progress["seconds"] / 60,
        "epochs": epoch_of(batches),
    }
    # the last step may go beyond, in tokens and minutes
    return float(min(amounts[budget], run.config.train.budget()[1]))


def extended(run: Run, given: Mapping[str, Any]) -> Config:
    """The run's settings with another budget of the same kind, where one was given; watched as is asked for now.

    Raises:
        RunError: the budget is of another kind, or less than what is used already.
    """
    asked = Config.from_flat({"model": run.config.architecture, **given}).train
    name, amount = run.config.train.budget()
    config = run.config.with_train(**{name: getattr(asked, name) for name in WATCHING if name in given})
    chosen = [budget for budget in BUDGETS if getattr(asked, budget) is not None]
    if not chosen:
        return config
    if chosen != [name] or getattr(asked, name) < used(run, name):
        raise RunError(
            f"Run {run.name} was begun with {name} {amount:g} and has used {used(run, name):g}, which "
            f"{chosen[0]} {getattr(asked, chosen[0]):g} does not go with",
            f"the same, or more {name.replace('_', ' ')} to extend it",
            "give that, or train under another --name without --resume",
        )
    return config.with_train(**{name: getattr(asked, name)})
