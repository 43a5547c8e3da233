"""Whether torch compiles the model's forward and backward pass, decided by how long the training is to be.

Compiling takes from ten seconds to minutes before the first step. On a CPU it does not pay: recurrent layers and
attention run in kernels of ours, and what is left between them gains less than compiling costs (docs/decisions.md has
the measurement). On CUDA many small kernels of a transformer are launched one by one, which compiling joins: there it
is done where a training is foretold to last longer than `PAYS_AFTER`. Not yet run on a GPU.
"""

import torch

from glassloom.errors import SettingError, notice
from glassloom.training.foretell import estimated_seconds
from glassloom.training.state import TrainingState

PAYS_AFTER = 180.0
"""Seconds of training; a minute of compiling is then less than the third that it may save."""


def pays(state: TrainingState) -> bool:
    """Whether compiling is foretold to save more than it costs."""
    unrolled = state.model.context is not None  # recurrent layers run in kernels that torch cannot look into
    return (
        state.device.type == "cuda" and not state.workers.shard and unrolled and estimated_seconds(state) > PAYS_AFTER
    )


def compile_where_it_pays(state: TrainingState, goes_on: bool = False) -> str:
    """Compile the state's passes if the setting `compile` says so, or leaves it open and it pays; tried out at once.

    Gives what is to be stored with the run, on or off, so that it goes on as it began.

    Raises:
        SettingError: `compile` is on for a new run, and torch cannot compile here (no compiler, no Triton).
    """
    asked = state.config.train.compile
    if asked == "off" or (asked == "auto" and not pays(state)):
        return "off"
    plain = state.hidden
    state.hidden = torch.compile(state.model.hidden)
    try:
        state.seconds_of_a_step()
    except Exception as error:  # torch's compiler raises errors of many kinds, its own and its tools'
        state.hidden = plain
        first = next(iter(str(error).strip().splitlines()), "")
        said = f"torch cannot compile the model here: {type(error).__name__} {first}".strip()
        if asked == "on" and not goes_on:
            raise SettingError(
                said, "a C++ compiler, or Triton for CUDA", "install one, or train with --compile off"
            ) from error
        notice(f"{said}. It trains uncompiled.")
        return "off"
    return "on"
