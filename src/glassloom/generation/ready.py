"""Decoders made ready once for a model, and again when its weights are others."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.decoders import Decoder, chosen
from glassloom.models.contract import LanguageModel

KEPT_BYTES = 64 * 2**20
"""The decoder of a larger model is made anew for each text: reading its tokens takes far longer."""


@dataclass(frozen=True)
class Ready:
    """A decoder, and what it was made of."""

    decoder: Decoder
    weights: list[Tensor]
    way: tuple[str, str | None]


_ready: WeakKeyDictionary[LanguageModel, Ready] = WeakKeyDictionary()


def decoder_of(model: LanguageModel) -> Decoder | None:
    """The decoder of a model as it is now; None where only torch runs it.

    The weights are compared, as in `glassloom.kernels.native`: a tensor's version does not count every change.
    """
    way, known = (chosen(), native.chosen()), _ready.get(model)
    weights = [weight.detach() for weight in model.parameters()]
    if known is not None and model.probe is None and known.way == way and same(known.weights, weights):
        return known.decoder
    _ready.pop(model, None)
    plan = model.plan()
    if plan is None:
        return None
    decoder = Decoder(plan)
    if sum(weight.nbytes for weight in weights) <= KEPT_BYTES:
        _ready[model] = Ready(decoder, [weight.clone() for weight in weights], way)
    return decoder


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    """Whether these are equal in place, type and every number."""
    if [(one.device, one.dtype) for one in ours] != [(one.device, one.dtype) for one in theirs]:
        return False
    return all(map(torch.equal, ours, theirs))
