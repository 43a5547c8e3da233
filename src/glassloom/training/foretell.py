"""Before the first step: how long the budget will take, and how often evaluating it does not take much longer."""

import math

from glassloom.data.corpus import Corpus
from glassloom.training.state import TrainingState

FEWEST_EVALUATIONS, MOST_EVALUATIONS = 4, 20
EVALUATION_SHARE = 0.25
"""Evaluations may take so much of the time that training takes."""


def steps_left(state: TrainingState) -> float:
    """Steps until the budget is used; one in minutes is divided by the measured time of a step."""
    progress, (name, amount) = state.progress, state.config.train.budget()
    match name:
        case "steps":
            left = amount - progress.step
        case "epochs":
            left = (amount - state.batches.epoch) * state.batches.steps_per_epoch
        case "train_tokens":
            left = (amount - progress.tokens) / state.tokens_per_step()
        case _:
            left = (amount * 60 - progress.seconds) / max(state.seconds_of_a_step(), 1e-6)
    return max(0.0, left)


def estimated_seconds(state: TrainingState) -> float:
    """How long the rest of the budget will take; measured on two passes of a batch, which leave no trace."""
    name, amount = state.config.train.budget()
    if name == "minutes":
        return max(0.0, amount * 60 - state.progress.seconds)
    return math.ceil(steps_left(state)) * state.seconds_of_a_step()


def evaluations(state: TrainingState, corpus: Corpus) -> int:
    """How often to evaluate over the budget, where the settings leave it open.

    A forward pass costs a third of a step of training, and a bounded context sees every token twice. The count is the
    same for the same settings and text, but where the budget is in minutes; once chosen it is stored with the run.
    """
    train = state.config.train
    if train.evaluations:
        return train.evaluations
    scored = min(train.eval_tokens or len(corpus.valid.ids), len(corpus.valid.ids))
    passes = scored * (1 if state.model.context is None else 2) / 3
    affordable = EVALUATION_SHARE * steps_left(state) * state.tokens_per_step() / passes
    return max(FEWEST_EVALUATIONS, min(MOST_EVALUATIONS, int(affordable)))
