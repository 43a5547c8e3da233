"""One model over several workers: each passes its own rows, and torch adds up the gradients on the way back.

    loss of worker r    N sum over its rows of nats / T        N workers, T tokens of the whole batch
    gradient            mean over workers of theirs = gradient of sum over all rows of nats / T

T counts the targets of all rows, so padded batches weigh as they do in one process, however the padding falls. torch's
DistributedDataParallel takes the mean bucket by bucket while the backward pass still runs; its hooks are on the
parameters, so they fire for gradients from our own kernels as for torch's. Of a batch in parts (`accumulate`) only the
last part's backward pass exchanges anything.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from glassloom.models.contract import State
from glassloom.shapes import TokenNats, Tokens

if TYPE_CHECKING:
    from glassloom.training.state import TrainingState


class Pass(nn.Module):
    """A training's way from rows to loss as a module: what DistributedDataParallel wraps."""

    def __init__(self, state: "TrainingState") -> None:
        super().__init__()
        self.model, self.state = state.model, state

    def forward(
        self, inputs: Tokens, before: State | None, targets: Tokens, weights: TokenNats
    ) -> tuple[Tensor, State]:
        """The weighted loss in nats, and the state after the last token."""
        return self.state.nats_of(inputs, before, targets, weights)


def spread(state: "TrainingState") -> None:
    """Let torch add up the gradients of all workers; from now on every one must make every step. Alone: nothing.

    A parameter that a step does not reach (a trainable initial state, where every row goes on) has to be looked for at
    each step; where there is none, it is not.
    """
    if state.workers.alone or state.workers.shard:
        return
    from torch.nn.parallel import DistributedDataParallel

    unreached = getattr(state.config.model, "initial_state", None) == "trainable"
    devices = [torch.cuda.current_device()] if state.device.type == "cuda" else None
    state.passing = DistributedDataParallel(
        Pass(state),
        device_ids=devices,
        gradient_as_bucket_view=True,
        find_unused_parameters=unreached,
    )


def kept_apart(passing: Any, last: bool) -> AbstractContextManager[Any]:
    """The context of one part's pass: all but the last part's gradients stay with their worker."""
    no_sync = getattr(passing, "no_sync", None)
    return nullcontext() if last or no_sync is None else no_sync()
