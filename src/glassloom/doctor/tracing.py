"""A handle on the vectors that tokens become: a zero is added to them, with respect to which gradients are taken."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

INTEGERS = (torch.int64, torch.int32)


class EmbeddingHandles(TorchFunctionMode):
    """While active, whatever first turns the tokens' integers into floating numbers gets a zero added to it.

    That is an embedding, an indexed matrix or a one-hot's conversion: any call that takes integers which come from the
    tokens and gives floating numbers. `handles` are the zeros, in the order of the calls.
    """

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.integers: dict[int, Tensor] = {id(tokens): tokens}
        self.handles: list[Tensor] = []
        self.sources: list[Tensor] = []
        """For each handle the integers that became it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if not isinstance(output, (Tensor, tuple, list)):
            return output
        source = next((part for part in parts_of([args, kwargs or {}]) if self.known(part)), None)
        if source is None:
            return output
        if isinstance(output, Tensor):
            if output.dtype in INTEGERS:
                self.integers[id(output)] = output
            elif output.is_floating_point() and output.numel() > 1 and not is_in_place(output, args):
                handle = torch.zeros_like(output, requires_grad=True)
                self.handles.append(handle)
                self.sources.append(source)
                return output + handle
            return output
        for part in parts_of(output):
            if part.dtype in INTEGERS:
                self.integers[id(part)] = part
        return output

    def known(self, part: Tensor) -> bool:
        """Whether these integers come from the tokens."""
        return id(part) in self.integers


def positions_of(source: Tensor, tokens: Tensor) -> Tensor | None:
    """Which entries of the tokens `batch time` these integers are, as numbers into the flattened tokens, row by row.

    They may be all tokens in either order of the axes, or one position of every row, or their one-hot vectors; None
    where they are anything else (windows, shifted copies), so that a handle's place says nothing of an input's.
    """
    batch, time = tokens.shape
    numbers = torch.arange(batch * time).reshape(batch, time)
    if source.ndim > 1 and source.numel() > batch * time:
        source = source.argmax(-1)
    flat = source.flatten()
    if flat.numel() == batch * time:
        for order, values in ((numbers, tokens), (numbers.t(), tokens.t())):
            if torch.equal(flat, values.flatten()):
                return order.flatten()
        return None
    if flat.numel() != batch:
        if source.ndim == 2 and source.shape[0] == batch:
            return positions_of(source.argmax(-1), tokens)
        return None
    for place in range(time):
        if torch.equal(flat, tokens[:, place]):
            return numbers[:, place]
    return None


def is_in_place(output: Tensor, args: Any) -> bool:
    """Whether the output is the first argument itself."""
    return bool(args) and output is args[0]


def parts_of(value: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and dictionaries, two levels deep and more."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [found for part in value for found in parts_of(part)]
    return []
