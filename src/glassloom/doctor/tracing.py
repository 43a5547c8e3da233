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

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if not isinstance(output, (Tensor, tuple, list)):
            return output
        if not any(self.known(part) for part in parts_of([args, kwargs or {}])):
            return output
        if isinstance(output, Tensor):
            if output.dtype in INTEGERS:
                self.integers[id(output)] = output
            elif output.is_floating_point() and output.numel() > 1 and not is_in_place(output, args):
                handle = torch.zeros_like(output, requires_grad=True)
                self.handles.append(handle)
                return output + handle
            return output
        for part in parts_of(output):
            if part.dtype in INTEGERS:
                self.integers[id(part)] = part
        return output

    def known(self, part: Tensor) -> bool:
        """Whether these integers come from the tokens."""
        return id(part) in self.integers


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
