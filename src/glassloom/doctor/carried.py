"""In a loop that carries a state from window to window: does what is carried make a difference?"""

import gc
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from glassloom.doctor.finding import Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import TOLERANCE, logits_in
from glassloom.doctor.steps import Loop, new_loop, remembering
from glassloom.doctor.tracing import parts_of


class Calls:
    """What the model was called with and what it returned, call by call."""

    def __init__(self) -> None:
        self.given: list[list[Tensor]] = []
        self.arguments: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.states: list[list[Tensor]] = []


def carried_findings(opened: Opened, text: Tensor, rows: int, length: int) -> list[Finding]:
    """state-reset-each-window, in a loop that hands the model a state or keeps the one it returned."""
    if opened.subject.train_step is None:
        return []
    loop = new_loop(opened)
    with remembering(loop):
        calls = watched(loop, text, rows, length)
        if len(calls.given) < 3:
            return []
        passed = [any(bool(part.abs().max() > 0) for part in given if part.numel()) for given in calls.given[1:]]
        if any(passed):
            return ignored(loop, calls, passed.index(True) + 1)
        returned = [part for part in calls.states[-2] if part.numel() and bool(part.abs().max() > 0)]
        if not returned or not kept(loop, calls.states[-1]):
            return []
    evidence = {
        "windows": len(calls.given),
        "largest_state_returned": max(part.abs().max().item() for part in returned),
        "largest_state_given": 0.0,
    }
    words = "The loop keeps the state that the model returned, and begins every window with none or with zeros."
    return [finding("state-reset-each-window", evidence, words)]


def watched(loop: Loop, text: Tensor, rows: int, length: int) -> Calls:
    """A few steps, with every call of the model noted."""
    calls, original = Calls(), loop.model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        handed = [part for part in parts_of([args[1:], kwargs]) if part.is_floating_point()]
        calls.given.append([part.detach().clone() for part in handed])
        calls.arguments.append((args, kwargs))
        logits = logits_in(output)
        calls.states.append(
            [
                part.detach()
                for part in parts_of(output)
                if part is not logits and part.is_floating_point() and part.ndim
            ]
        )
        return output

    loop.model.forward = forward  # type: ignore[method-assign]
    try:
        for number in range(4):
            loop.step(*loop.batch(text, rows, length, number))
    except Exception:
        return calls
    finally:
        del loop.model.forward
    return calls


def ignored(loop: Loop, calls: Calls, number: int) -> list[Finding]:
    """The finding, where the state that was handed over changes no logit: it is exchanged for another."""
    args, kwargs = calls.arguments[number]
    model = loop.model.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        logits = logits_in(model(*args, **kwargs))
        args, kwargs = (args[0], *other(args[1:])) if args else (), other(kwargs)
        torch.manual_seed(0)
        changed = logits_in(model(*args, **kwargs))
    gap = (logits - changed).abs().max().item()
    size = logits.abs().max().item()
    if not gap <= TOLERANCE.get(logits.dtype, 1e-4) * max(size, 1e-30) * 1e-2:
        return []
    evidence = {"change_by_another_state": gap, "largest_logit": size}
    words = "The loop hands each window the state of the last, and the model's logits are the same with any other."
    return [finding("state-reset-each-window", evidence, words)]


def other(value: Any) -> Any:
    """The same structure with other floating numbers in it."""
    if isinstance(value, Tensor):
        return value.neg() + 0.5 if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: other(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)([other(part) for part in value])
    return value


def kept(loop: Loop, states: list[Tensor]) -> bool:
    """Whether the loop still holds the last state after its step: the same memory, or the same numbers."""
    gc.collect()
    for tensor in held(loop):
        for state in states:
            if tensor.shape == state.shape and (
                tensor.data_ptr() == state.data_ptr() or (state.abs().max() > 0 and torch.equal(tensor, state))
            ):
                return True
    return False


def held(loop: Loop) -> Iterator[Tensor]:
    """Every tensor that the step's function, its globals and closure, the model and the optimiser hold by name."""
    step = loop.opened.subject.train_step
    function = getattr(step, "__func__", step)
    spaces: list[Any] = [getattr(function, "__dict__", {}), getattr(getattr(step, "__self__", None), "__dict__", {})]
    if isinstance(function, FunctionType):
        spaces.append(function.__globals__)
        spaces.extend(cell.cell_contents for cell in function.__closure__ or () if filled(cell))
    spaces += [loop.model.__dict__, getattr(loop.optimizer, "__dict__", {})]
    for space in spaces:
        values = list(space.values()) if isinstance(space, dict) else [space]
        for value in values:
            if isinstance(value, (Tensor, tuple, list)) or (isinstance(value, dict) and len(value) < 50):
                yield from (part for part in parts_of(value) if not isinstance(part, torch.nn.Parameter))


def filled(cell: Any) -> bool:
    """Whether a closure's variable has a value."""
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
