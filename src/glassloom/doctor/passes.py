"""One pass of somebody's model: tokens `batch time` in, logits `batch time vocab` out, however it wraps them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.doctor.guarded import default_dtype, sow
from glassloom.doctor.subject import Subject, accepts, device_of

TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-5, torch.bfloat16: 3e-2, torch.float16: 5e-3}
"""By which share of the logits' size two computations of the same may differ."""


class NoLogitsError(Exception):
    """The model gives nothing that can be read as logits; says what came instead."""


@dataclass(frozen=True)
class Layout:
    """How the model's output is to be read, found out by trying."""

    time_first: bool = False
    """The tokens go in as `time batch`, and so the logits come out."""
    swapped: bool = False
    """The logits come as time by batch though the tokens went in otherwise."""
    remixed: bool = False
    """The two axes were mixed by a reshape: a row of the output holds the entries of several rows."""
    flat: bool = False
    """The logits come as `batch*time vocab`."""
    channels: bool = False
    """The logits come as `batch vocab time`."""
    last_only: bool = False
    """There are logits of the last position only."""
    with_targets: bool = False
    """The model gives all positions only when it is called with targets too."""
    with_none: bool = False
    """The model wants a second argument, which may be None."""


@dataclass(frozen=True)
class Passer:
    """Calls models of a subject in one way: precision, mode, layout; every call begins with the same random state."""

    subject: Subject
    layout: Layout = Layout()
    exact: bool = True
    """In float64, where the model can be converted."""
    training: bool = False
    rebuild: bool = False
    """Build the model anew for each call, because it keeps something from call to call."""
    seed: int = 0
    jitter: float = 0.0

    @property
    def dtype(self) -> torch.dtype:
        """The default type while the model is built and runs."""
        return torch.float64 if self.exact else torch.float32

    def model(self) -> nn.Module:
        """A new model of this kind."""
        model = self.subject.fresh(self.seed, self.jitter, torch.float64 if self.exact else None)
        return model.train(self.training)

    def reader(self) -> "Reader":
        """The same model for many calls."""
        return Reader(self, self.model())

    def with_(self, **changes: Any) -> "Passer":
        """The same but for some things."""
        return replace(self, **changes)


class Reader:
    """A model that is called with tokens and answers with logits `batch time vocab`."""

    def __init__(self, passer: Passer, model: nn.Module) -> None:
        self.passer, self.module, self.called = passer, model, False
        self.buffers = [buffer.clone() for buffer in model.buffers()] if passer.training else []
        """As they were before the first call: in training mode a pass may move them (running statistics, the vectors
        of a spectral norm), and the next pass, of the same model, would differ by that."""

    def __call__(self, tokens: Tensor, *, grad: bool = False, seed: int = 0) -> Tensor:
        """The logits; detached, unless gradients are wanted."""
        if self.called and self.passer.rebuild:
            self.module = self.passer.model()
        elif self.called and self.buffers:
            restore(self.module, self.buffers)
        self.called = True
        sow(seed + 77)
        with default_dtype(self.passer.dtype), torch.set_grad_enabled(grad):
            output = self.raw(tokens)
        logits = read(output, len(tokens), tokens.shape[1], self.passer.layout)
        return logits if grad else logits.detach()

    def raw(self, tokens: Tensor) -> Any:
        """What the model itself returns."""
        return call(self.module, tokens, self.passer.layout)


def restore(module: nn.Module, buffers: list[Tensor]) -> None:
    """Give a model its former buffers back, in their places."""
    with torch.no_grad():
        for now, before in zip(module.buffers(), buffers, strict=False):
            if now.shape == before.shape:
                now.copy_(before)


def call(module: nn.Module, tokens: Tensor, layout: Layout) -> Any:
    """Call the model with tokens `batch time` in the way that the layout says."""
    given = (tokens.t().contiguous() if layout.time_first else tokens).to(device_of(module))
    if layout.with_targets:
        return module(given, given.clone())
    return module(given, None) if layout.with_none else module(given)


def logits_in(output: Any) -> Tensor:
    """The tensor of logits in whatever a model returns: itself, a tuple's first, `.logits`, or a dictionary's."""
    for candidate in candidates(output):
        if isinstance(candidate, Tensor) and candidate.is_floating_point() and candidate.ndim >= 2:
            return candidate
    raise NoLogitsError(f"the model returned {described(output)}")


def candidates(output: Any) -> Iterator[Any]:
    """What may be the logits, the likeliest first."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        if "logits" in output:
            yield output["logits"]
        yield from output.values()
    elif isinstance(getattr(output, "logits", None), Tensor):
        yield output.logits
    elif isinstance(output, (tuple, list)):
        if output and isinstance(output[0], (list, tuple)) and output[0] and isinstance(output[0][0], Tensor):
            yield torch.stack(list(output[0]), 1)
        if output and isinstance(output, list) and all(isinstance(part, Tensor) and part.ndim == 2 for part in output):
            yield torch.stack(output, 1)
        yield from output


def described(output: Any) -> str:
    """A word on an output that is none."""
    if isinstance(output, Tensor):
        return f"a tensor of {tuple(output.shape)} and type {output.dtype}"
    return f"{type(output).__name__}"


def read(output: Any, batch: int, time: int, layout: Layout) -> Tensor:
    """The logits as `batch time vocab`."""
    logits = logits_in(output)
    if layout.last_only:
        return logits.reshape(batch, 1, logits.shape[-1])
    if layout.flat:
        rows = (time, batch) if layout.time_first else (batch, time)
        logits = logits.reshape(*rows, logits.shape[-1])
    if layout.channels:
        logits = logits.transpose(1, 2)
    if layout.remixed:
        logits = logits.reshape(time, batch, logits.shape[-1])
        return logits.transpose(0, 1)
    if layout.time_first != layout.swapped:
        logits = logits.transpose(0, 1)
    return logits


def find_layout(module: nn.Module, tokens: Tensor, time_first: bool) -> Layout:
    """How to read this model; `tokens` have unequal axes. Errors of the model's own come through."""
    batch, time = tokens.shape
    tries = [Layout(time_first=time_first)]
    if not accepts(module.forward, 1):
        tries = [Layout(time_first=time_first, with_none=True), Layout(time_first=time_first, with_targets=True)]
    elif accepts(module.forward, 2):
        tries.append(Layout(time_first=time_first, with_targets=True))
    found: list[Layout] = []
    for number, layout in enumerate(tries):
        try:
            with torch.no_grad():
                logits = logits_in(call(module, tokens, layout))
        except Exception:
            if number == 0 and not layout.with_none:
                raise
            continue
        shaped = shape_of(logits, batch, time, layout)
        if shaped is not None:
            if not shaped.last_only:
                return shaped
            found.append(shaped)
        elif number == 0:
            message = f"the logits have the shape {tuple(logits.shape)} for tokens of ({batch}, {time})"
    if found:
        return found[0]
    raise NoLogitsError(message if "message" in locals() else "no call of the model gave logits")


def shape_of(logits: Tensor, batch: int, time: int, layout: Layout) -> Layout | None:
    """The layout that a shape tells; None where it tells none."""
    first, second = (time, batch) if layout.time_first else (batch, time)
    shape = tuple(logits.shape)
    if len(shape) == 3:
        if shape[:2] == (first, second):
            return layout
        if shape[:2] == (second, first):
            return replace(layout, swapped=True)
        if shape[0] == first and shape[2] == second:
            return replace(layout, channels=True)
        if sorted(shape[:2]) == sorted((1, batch)):
            return replace(layout, last_only=True)
    if len(shape) == 2:
        if shape[0] == batch * time:
            return replace(layout, flat=True)
        if shape[0] == batch:
            return replace(layout, last_only=True)
    return None
