"""A model layer by layer, and what a step of training costs: parameters, operations, memory. Nothing is trained."""

from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.models.contract import LanguageModel


@dataclass(frozen=True)
class Row:
    """One part of a model: a parameter's name, its shape, and how many numbers it holds."""

    name: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Memory:
    """Bytes that one step of training needs."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        return self.parameters + self.gradients + self.optimizer + self.activations


def parameter_count(model: LanguageModel) -> int:
    """Numbers that are trained; a tied weight counts once.

    >>> from glassloom.models import build
    >>> parameter_count(build("rnn", vocabulary=65))
    296001
    """
    return sum(parameter.numel() for parameter in model.parameters())


def summary(model: LanguageModel) -> list[Row]:
    """Every parameter, in the order in which tokens meet them."""
    return [Row(name, tuple(value.shape), value.numel()) for name, value in model.named_parameters()]


def training_flops(model: LanguageModel, time: int) -> float:
    """Floating-point operations of the products, forward and backward, a token: three times those of the forward pass.

    The backward pass takes two products for each one of the forward pass: for the inputs and for the weight.
    """
    return 3 * model.forward_flops(time)


def training_memory(model: LanguageModel, batch: int, time: int, optimizer_copies: int = 2) -> Memory:
    """Bytes of one training step on `batch` rows of `time` tokens.

    Activations are what autograd keeps for the backward pass, counted on one row and on two (the rest is linear in the
    rows), and the logits with their gradient. The optimizer keeps `optimizer_copies` numbers a parameter.
    """
    one, two = kept_bytes(model, 1, time), kept_bytes(model, 2, time)
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    logits = 2 * batch * time * model.vocabulary * model.output_weight.element_size()
    return Memory(size, size, optimizer_copies * size, one + (two - one) * (batch - 1) + logits)


def kept_bytes(model: LanguageModel, batch: int, time: int) -> int:
    """Bytes that autograd keeps of a forward pass up to the output layer, the parameters themselves left out."""
    device = model.output_weight.device
    owned = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no other storage takes the address
        return tensor

    training, generator, probe = model.training, model.generator, model.probe
    model.train()
    model.generator, model.probe = torch.Generator(device), None
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model.hidden(torch.zeros(batch, time, dtype=torch.long, device=device))
    finally:
        model.train(training)
        model.generator, model.probe = generator, probe
    return sum(kept.values())
