"""torch's optimizers without torch's compiler, whose import (sympy and all) takes as long as torch's own.

`torch.optim.Optimizer` wraps its methods so that `torch.compile` leaves them alone; the wrappers import the compiler
on their first call, whether anything is compiled or not. Nothing of ours compiles an optimizer: the functions inside
the wrappers are called directly. Where another version of torch wraps them otherwise, only the import comes back.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from glassloom.config import TrainSettings
from glassloom.models.contract import LanguageModel
from glassloom.training.optimizers import build_optimizer

WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
REMEMBERED = "__dynamo_disable"
"""Where `torch._compile` keeps what a wrapped function is replaced by, once it has asked the compiler for that."""


def new_optimizer(model: LanguageModel, settings: TrainSettings) -> Optimizer:
    """The optimizer that the settings name, built without the compiler."""
    for name in WRAPPED:
        plain = inspect.unwrap(getattr(Optimizer, name))
        vars(plain).setdefault(REMEMBERED, plain)
    return build_optimizer(model, settings)


def take_step(optimizer: Optimizer) -> None:
    """One update of every parameter that has a gradient."""
    plain: Callable[[Optimizer], Any] = inspect.unwrap(type(optimizer).step)
    with torch.no_grad():
        plain(optimizer)
