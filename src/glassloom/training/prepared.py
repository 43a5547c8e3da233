"""What stands before the first step, of a training as of a dry run: complete settings, text as ids, the run's name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassloom.config import Config, TrainSettings, plain_names
from glassloom.data.corpus import Corpus
from glassloom.errors import notice
from glassloom.models import ARCHITECTURES
from glassloom.runs import Run, check_free, check_name, load_run
from glassloom.training.continuing import check_unchanged, extended
from glassloom.training.machine import prepare_machine
from glassloom.training.resolve import open_corpus, resolve, settings_from
from glassloom.training.suited import fast as fastest
from glassloom.training.suited import is_open, suited

LITTLE = 2000
"""Tokens, about a page of text: with fewer to learn from there is a notice."""


@dataclass(frozen=True)
class Prepared:
    """A training that is about to begin, or to go on."""

    config: Config
    """Complete: nothing is `auto` any more."""
    corpus: Corpus
    name: str
    run: Run | None
    """The run that goes on, if it is one that exists."""
    origin: Run | None
    """The run whose weights a new one begins with, if any."""


def prepare(
    source: Any,
    given: Mapping[str, Any],
    *,
    root: Path,
    name: str | None = None,
    resume: bool = False,
    replace: bool = False,
    start_from: str | Path | None = None,
    fast: bool = False,
) -> Prepared:
    """Everything that can be refused is refused here, and the machine is set up; see `train` for the arguments.

    Raises:
        InputError: the text or a setting cannot be used, the name is taken.
    """
    given = plain_names(given)
    origin = load_run(start_from, root) if start_from else None
    config = settings_from(given, origin)
    if name is not None:
        check_name(name)
        if not (resume or replace):
            check_free(root, name)  # before a long text is read
    early = existing(root, name) if resume and name else None
    stored = early.tokenizer if early else origin.tokenizer if origin else None
    corpus = open_corpus(source, early.config if early else config, stored)
    chosen: dict[str, Any] = {}
    why: list[str] = []
    sequences = corpus.train.starts is not None
    if early is None and fast:
        kept = set(config.model.__class__.model_fields) | {"model"} if origin else set()
        chosen = {setting: value for setting, value in fastest(given, sequences).items() if setting not in kept}
    elif early is None and origin is None and is_open(given):
        chosen, why = suited(given, corpus.train.tokens, sequences)
    config = settings_from({**chosen, **given}, origin)
    name = name or default_name(root, f"{corpus.name}-{config.architecture}", resume)
    run = existing(root, name) if resume else None
    if run is not None and run.tokenizer.sha256 != corpus.tokenizer.sha256:  # found only now that the text has a name
        corpus = open_corpus(source, run.config, run.tokenizer)
    if run is not None:
        check_unchanged(run, given, corpus)
        config = extended(run, given)
    else:
        config = resolve(config, corpus, given)
        for line in (*why, *little_text(corpus), *long_warmup(config.train)):
            notice(line)
    prepare_machine(config.train)
    return Prepared(config, corpus, name, run, origin)


def little_text(corpus: Corpus) -> list[str]:
    """One line where there is far too little to learn from."""
    train, valid = (split.tokens + (split.sequences or 0) for split in (corpus.train, corpus.valid))
    if train >= LITTLE:
        return []
    return [
        f"The text is very short, {train:,} tokens to learn from and {valid:,} to be scored: a model learns it by "
        "heart, and the figures say little. Some 100,000 characters make a good beginning."
    ]


def long_warmup(train: TrainSettings) -> list[str]:
    """One line where the learning rate is still rising when a budget in steps is used."""
    name, amount = train.budget()
    if name != "steps" or train.warmup < max(amount, 1):
        return []
    reached = train.lr * min(1.0, amount / train.warmup)
    return [
        f"The warm-up takes {train.warmup:,.0f} steps and the budget is {amount:,.0f}: the learning rate rises to "
        f"{reached:g} at the last step, and the schedule never begins. Lower --warmup, or make it a share below 1."
    ]


def added_by(config: Config, corpus: Corpus) -> dict[str, str]:
    """Which packages a run needs beside Glassloom, by what each adds; empty where it needs none."""
    from glassloom.data.languages import LANGUAGES
    from glassloom.data.tokenizers import TOKENIZERS

    language = str(corpus.describe().get("language", ""))
    named = ((ARCHITECTURES, config.architecture), (TOKENIZERS, corpus.tokenizer.kind), (LANGUAGES, language))
    return {f"{names.kind} {name}": names.owner(name) for names, name in named if name in names and names.owner(name)}


def existing(root: Path, name: str) -> Run | None:
    """The run of that name, if there is one."""
    return load_run(root / name) if (root / name).is_dir() else None


def default_name(root: Path, base: str, resume: bool) -> str:
    """`text-model`, with a number where that is taken; on resume the newest of them."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._")[:56] or "run"
    taken = [number for number in range(1, 1000) if (root / numbered(base, number)).exists()]
    if resume:
        return numbered(base, max(taken, default=1))
    return numbered(base, max(taken, default=0) + 1)


def numbered(base: str, number: int) -> str:
    """The first keeps the plain name."""
    return base if number == 1 else f"{base}-{number}"
