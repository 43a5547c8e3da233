"""Gradients: the one training loop, and evaluation. It prints nothing; it yields events and fills a run folder."""

from glassloom.training.dryrun import DryRun, dry_run
from glassloom.training.evaluation import Evaluation, evaluate_split
from glassloom.training.events import Began, Evaluated, Event, Finished, Sampled, Saved, Stepped
from glassloom.training.mixture import Losses, evaluate_together, token_losses
from glassloom.training.opening import open_model
from glassloom.training.session import TrainingResult, train

__all__ = [
    "Began",
    "DryRun",
    "Evaluated",
    "Evaluation",
    "Event",
    "Finished",
    "Losses",
    "Sampled",
    "Saved",
    "Stepped",
    "TrainingResult",
    "dry_run",
    "evaluate_split",
    "evaluate_together",
    "open_model",
    "token_losses",
    "train",
]
