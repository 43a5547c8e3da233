"""A run's model where this machine can run it: on the run's own device where that is here, else on the CPU.

Not yet run on a GPU.
"""

from contextlib import AbstractContextManager
from typing import Any

from glassloom.errors import SettingError, notice
from glassloom.models.contract import LanguageModel
from glassloom.runs import Checkpoint, Run
from glassloom.training.machine import autocast, choose_device, prepare_machine


def open_model(run: Run, checkpoint: Checkpoint | None = None) -> tuple[LanguageModel, AbstractContextManager[Any]]:
    """The model of a checkpoint (the best if none is named), and the precision that it is run in.

    >>> model, precision = open_model(load_run("novel"))  # doctest: +SKIP
    """
    train = run.config.train
    try:
        choose_device(train.device)
    except SettingError:
        notice(f"Run {run.name} was trained on {train.device}, which is not here: the CPU is used, in float32.")
        kept = "float64" if train.precision == "float64" else "float32"
        train = train.model_copy(update={"device": "cpu", "precision": kept})
    prepare_machine(train)
    return run.model(checkpoint).to(train.device), autocast(train)
