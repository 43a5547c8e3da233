"""Watching a training step from outside: what it goes backward from, and what it keeps from call to call."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor


@dataclass
class Backwards:
    """The tensors that were gone backward from: their values, and the size of their graph."""

    values: list[float] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)

    def see(self, roots: Any) -> None:
        """Note the graph before it is used."""
        roots = [roots] if isinstance(roots, Tensor) else list(roots)
        roots = [root for root in roots if isinstance(root, Tensor)]
        if roots:
            first = roots[0].detach()
            self.values.append(first.sum().item())
            self.nodes.append(graph_of(*roots)[0])


def graph_of(*roots: Tensor) -> tuple[int, list[Tensor]]:
    """How many nodes the graph behind some tensors has, and the leaf tensors in which it ends."""
    seen: set[Any] = set()
    leaves: dict[int, Tensor] = {id(root): root for root in roots if root.requires_grad and root.is_leaf}
    waiting = [root.grad_fn for root in roots if root.grad_fn is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            leaves[id(variable)] = variable
        waiting.extend(after for after, _ in node.next_functions if after is not None and after not in seen)
    return len(seen), list(leaves.values())


@contextlib.contextmanager
def watched_backward() -> Iterator[Backwards]:
    """Note every backward pass in the block."""
    seen = Backwards()
    backward, grad = torch.autograd.backward, torch.autograd.grad

    def first_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        seen.see(tensors)
        return backward(tensors, *args, **kwargs)

    def first_grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.see(outputs)
        return grad(outputs, *args, **kwargs)

    with replaced(torch.autograd, "backward", first_backward), replaced(torch.autograd, "grad", first_grad):
        yield seen


@contextlib.contextmanager
def replaced(owner: Any, name: str, stand_in: Any) -> Iterator[None]:
    """While the block runs, `owner.name` is the stand-in."""
    original = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextlib.contextmanager
def forgetting(functions: list[Callable[..., Any] | None]) -> Iterator[None]:
    """What the functions keep from call to call (attributes, globals, closures) is afterwards as it was."""
    kept: list[Callable[[], None]] = []
    for function in functions:
        if function is not None:
            kept.extend(memories(function))
    try:
        yield
    finally:
        for restore in kept:
            restore()


def memories(function: Callable[..., Any]) -> Iterator[Callable[[], None]]:
    """For each place where a function can keep something: how to put it back.

    A method keeps it in its object, an object that is called in itself, either of them in the file's global names.
    """
    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    for holder in (function, owner):
        if keeps(holder):
            yield restoring(holder.__dict__)
    code = function if isinstance(function, FunctionType) else type(function).__dict__.get("__call__")
    if isinstance(code, FunctionType):
        yield restoring(code.__globals__)
        for value in list(code.__globals__.values()):
            if keeps(value) and value is not function and value is not owner:
                yield restoring(value.__dict__)
        for cell in code.__closure__ or ():
            yield restoring_cell(cell)


def keeps(value: Any) -> bool:
    """Whether something is an object with attributes of its own: no class, no module of Python's, no tensor."""
    return isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, (ModuleType, Tensor))


def restoring(space: dict[str, Any]) -> Callable[[], None]:
    """Put a name space back, and the small containers in it."""
    before = dict(space)
    inside = {name: copied(value) for name, value in before.items() if isinstance(value, (dict, list))}

    def restore() -> None:
        for name in set(space) - set(before):
            del space[name]
        space.update(before)
        for name, content in inside.items():
            refill(before[name], content)

    return restore


def restoring_cell(cell: Any) -> Callable[[], None]:
    """Put a closure's variable back."""
    try:
        before = cell.cell_contents
    except ValueError:
        return lambda: None
    content = copied(before) if isinstance(before, (dict, list)) else None

    def restore() -> None:
        cell.cell_contents = before
        if content is not None:
            refill(before, content)

    return restore


def copied(container: Any) -> Any:
    """A shallow copy of a small container; None for a large one, which is left alone."""
    return container.copy() if len(container) < 1000 else None


def refill(container: Any, content: Any) -> None:
    """Give a container its former content back."""
    if content is None or container is content:
        return
    if isinstance(container, dict):
        if any(container.get(name) is not value for name, value in content.items()) or len(container) != len(content):
            container.clear()
            container.update(content)
    elif len(container) != len(content) or any(a is not b for a, b in zip(container, content, strict=True)):
        container[:] = content
