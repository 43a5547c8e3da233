"""Before the first step: how long the budget will take, and how often evaluating it does not take much longer."""

import math

from glassloom.data.corpus import Corpus
from glassloom.training.evaluation import WARM_BRIEF, rows_of
from glassloom.training.optimizers import optimizer_copies
from glassloom.training.state import TrainingState

FEWEST_EVALUATIONS, MOST_EVALUATIONS = 4, 20
EVALUATION_SHARE = 0.25
"""Evaluations may take so much of the work that training takes, where the budget is not in minutes."""
SHARE_OF_MINUTES = 0.03
"""Evaluations with their checkpoints may take so much of a budget in minutes."""
FORWARD_SHARE = 0.4
"""A forward pass by itself, as a share of a step: a third by its products, and somewhat more on the clock."""
SAVED_BYTES_A_SECOND = 200e6
"""How fast a checkpoint is hashed, written and waited for; an ordinary disk takes it faster."""


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
    """How often to evaluate over the budget, where the settings leave it open; once chosen it is stored with the run.

    A budget in minutes is time, so what is done beside training is foretold in seconds. For other budgets it is
    foretold in tokens, so that the count is the same on every machine.
    """
    train = state.config.train
    if train.evaluations:
        return train.evaluations
    scored = min(train.eval_tokens or len(corpus.valid.ids), len(corpus.valid.ids))
    if train.budget()[0] == "minutes":
        affordable = SHARE_OF_MINUTES * estimated_seconds(state) / seconds_of_an_evaluation(state, scored)
    else:
        affordable = EVALUATION_SHARE * steps_left(state) * state.tokens_per_step() / (passed(state, scored) / 3)
    return max(FEWEST_EVALUATIONS, min(MOST_EVALUATIONS, int(affordable)))


def passed(state: TrainingState, scored: int) -> int:
    """How many tokens go forward for so many scored: a bounded context sees every one twice."""
    return scored * (1 if state.model.context is None else 2)


def seconds_of_an_evaluation(state: TrainingState, scored: int) -> float:
    """How long one evaluation on so many tokens and the checkpoint after it take, by the measured time of a step."""
    warmed = 0 if state.model.context is not None else WARM_BRIEF * (rows_of(scored, WARM_BRIEF) - 1)
    forward = (passed(state, scored) + warmed) / state.tokens_per_step() * state.seconds_of_a_step() * FORWARD_SHARE
    copies = 1 + optimizer_copies(state.config.train) + (2 if state.average else 0)
    saved = copies * sum(weights.numel() * weights.element_size() for weights in state.parameters)
    return forward + saved / SAVED_BYTES_A_SECOND
