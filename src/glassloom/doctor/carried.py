"""In a loop that carries a state from window to window: does what is carried make a difference?

A state of zeros at every window is a fault where windows follow one another, and right where they come from anywhere:
so it is looked at what batches do (on a text that counts), and at what is done with the state that comes back. Who
detaches it and keeps it means to hand it on.
"""

import gc
from collections.abc import Iterator
from types import FunctionType
from typing import Any, Literal

import torch
from torch import Tensor

from glassloom.doctor.batches import follow_each_other
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
        self.held_by_model: list[Tensor] = []
        """What was held already when the model returned: that the model keeps it is not the loop's doing."""


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
        kept = keeping(loop, calls)
    following = follow_each_other(opened, rows, length)
    given = any(calls.given[1:])
    if not returned or not (kept == "detached" or (following and (kept or given))):
        return []
    evidence = {
        "windows": len(calls.given),
        "windows_follow_one_another": following,
        "state_kept": kept or "no",
        "largest_state_returned": max(part.abs().max().item() for part in returned),
        "largest_state_given": 0.0,
    }
    words = (
        "Windows go on where the last ones ended, and each begins with a state of zeros."
        if following and given
        else "The loop keeps the state that the model returned, and begins every window with none or with zeros."
    )
    return [finding("state-reset-each-window", evidence, words)]


def watched(loop: Loop, text: Tensor, rows: int, length: int) -> Calls:
    """A few steps, with every call of the model noted."""
    calls, original = Calls(), loop.model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        calls.held_by_model = list(held(loop))
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


def keeping(loop: Loop, calls: Calls) -> Literal["detached", "as it came", ""]:
    """Whether the loop still holds the last state after its step: the same memory, or the same numbers."""
    gc.collect()
    found: Literal["detached", "as it came", ""] = ""
    for tensor in held(loop):
        for state in calls.states[-1]:
            if tensor.shape != state.shape or any(tensor is before for before in calls.held_by_model):
                continue
            if tensor.data_ptr() == state.data_ptr() or (state.abs().max() > 0 and torch.equal(tensor, state)):
                if not tensor.requires_grad:
                    return "detached"
                found = "as it came"
    return found


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
