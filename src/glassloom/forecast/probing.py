"""Short real trainings on a text, without a run folder: how fast a model learns here, and what it reaches."""

import time
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from glassloom.config import Config
from glassloom.data.corpus import Corpus, Split
from glassloom.errors import Notice
from glassloom.forecast.results import Probe
from glassloom.models.contract import LanguageModel
from glassloom.training.evaluation import WARM_BRIEF, evaluate_split
from glassloom.training.loop import one_step
from glassloom.training.machine import autocast, prepare_machine
from glassloom.training.resolve import resolve
from glassloom.training.state import TrainingState

FEWEST_STEPS = 4
"""A probe makes so many updates at least, however short its time is."""
STRETCHES, SCORED, WARM = 40, 256, 64
"""A probe is scored on so many stretches of held-out text, spread over all of it, of so many tokens each, after so many
that are only read: the beginning of a text is not like the rest of it."""


def prepared(corpus: Corpus, given: Mapping[str, Any], seconds: float) -> TrainingState:
    """A training that is to last so long, before its first step.

    Raises:
        InputError: a setting does not go with the text or the machine.
    """
    asked = {**given, "minutes": seconds / 60}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)  # what is said of a training need not be said of each probe
        config = resolve(Config.from_flat(asked), corpus, asked)
        prepare_machine(config.train)
    return TrainingState(config, corpus)


def probe(corpus: Corpus, given: Mapping[str, Any], seconds: float) -> Probe:
    """Train for so many seconds, the whole schedule of the learning rate within them, and score.

    Raises:
        InputError: see `prepared`.
        TrainingError: the loss was lost, or memory ran out.
    """
    state = prepared(corpus, given, seconds)
    minutes, progress = seconds / 60, state.progress
    first = (0.0, 0)
    while progress.seconds < seconds or progress.step < FEWEST_STEPS:
        one_step(state, min(0.999, progress.seconds / seconds), "minutes", minutes)
        if progress.step == 1:  # what is set up once is no part of the speed
            first = (progress.seconds, progress.tokens)
    rate = (progress.tokens - first[1]) / max(1e-9, progress.seconds - first[0])
    return Probe(
        model=state.config.architecture, width=int(given["width"]), parameters=core(state.model),
        tokens=progress.tokens, seconds=progress.seconds, tokens_per_second=rate, nats=held_out(state, corpus),
    )  # fmt: skip


def speed(corpus: Corpus, given: Mapping[str, Any]) -> tuple[int, float]:
    """A model's core parameters, and the tokens a second of its passes alone, without the update."""
    state = prepared(corpus, given, 60.0)
    return core(state.model), state.tokens_per_step() / max(1e-9, state.seconds_of_a_step())


def core(model: LanguageModel) -> int:
    """The parameters but for those of the vocabulary, as Kaplan et al. count them: neither embedding nor output."""
    return sum(
        weights.numel() for name, weights in model.named_parameters() if not name.startswith(("embedding", "output"))
    )


@torch.no_grad()
def held_out(state: TrainingState, corpus: Corpus) -> float:
    """Nats a token on stretches spread over the validation text; of sequences, on the first of them."""
    train, model = state.config.train, state.model
    split = corpus.valid
    if split.starts is not None or len(split.ids) < 2 * (SCORED + WARM):
        found = evaluate_split(model, corpus, "valid", tokens=train.eval_tokens, warm=WARM_BRIEF,
                               autocast=autocast(train))  # fmt: skip
        return found.figures.nats_per_token
    model.eval()
    inputs, targets = stretches(split)
    weights = torch.zeros(targets.shape, dtype=state.dtype)
    weights[:, WARM:] = 1 / (targets.shape[0] * (targets.shape[1] - WARM))
    device = state.device
    with autocast(train):
        hidden, _ = model.hidden(inputs.to(device))
        nats = model.weighted_nats(hidden, targets.to(device), weights.to(device))
    return float(nats)


def stretches(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets, a row each stretch."""
    length = WARM + SCORED
    room = len(split.ids) - length - 1
    count = max(1, min(STRETCHES, room // length))
    begins = [round(place * room / max(1, count - 1)) for place in range(count)]
    rows = torch.stack([torch.as_tensor(split.ids[begin : begin + length + 1].astype("int64")) for begin in begins])
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


class Clock:
    """Seconds since it was made, and what is left of a limit."""

    def __init__(self, limit: float) -> None:
        self.limit, self.begun = limit, time.perf_counter()

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self.begun

    @property
    def left(self) -> float:
        """Seconds until the limit; below 0 beyond it."""
        return self.limit - self.spent
