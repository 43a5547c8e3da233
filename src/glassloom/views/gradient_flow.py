"""How far back the loss at one step reaches: its gradient with respect to every earlier state.

    g_t = || dL_T / d s_t ||,   L_T the mean loss of the rows at step T, s_t a layer's state at step t, all rows of it

The norm is Frobenius over rows and width together. A state is what the layer hands on: `hidden` of a recurrent layer
(an LSTM's `cell` too), `residual` of a transformer's. A state's gradient counts every path to the loss: through the
later steps, through the layers above, and through attention. Scaled, a layer's largest norm is 1 (REFERENCE A, 4.1).
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import linear_regression

import torch
from torch import Tensor

from glassloom.data.batches import Batch
from glassloom.data.corpus import Corpus
from glassloom.data.sampling import sampler
from glassloom.errors import SettingError
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Series, Table
from glassloom.loss import token_nats
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import probing
from glassloom.runs import Checkpoint, Run

STATE = re.compile(r"layers\.(\d+)\.(hidden|cell|residual)\Z")


@dataclass(frozen=True)
class LayerFlow:
    """The norms of one layer's gradients, one a step, the first step first.

    `layer` counts from 0, as in the names of inner values; `value` is `hidden`, `cell` or `residual`.
    """

    layer: int
    value: str
    norms: tuple[float, ...]

    @property
    def name(self) -> str:
        """The inner value's: `layers.0.hidden`."""
        return f"layers.{self.layer}.{self.value}"

    @property
    def read_once(self) -> bool:
        """Whether only the last state has a gradient: nothing reads the earlier ones again."""
        return len(self.norms) > 1 and not any(self.norms[:-1]) and self.norms[-1] > 0

    @property
    def scaled(self) -> tuple[float, ...]:
        """The norms divided by the largest; all zero where that is."""
        most = max(self.norms)
        return tuple(norm / most if most else 0.0 for norm in self.norms)

    @property
    def first_to_last(self) -> float | None:
        """The norm at the first step as a share of that at the last one; None where the last is 0."""
        return self.norms[0] / self.norms[-1] if self.norms[-1] else None

    @property
    def half_life(self) -> float | None:
        """In how many steps back the norm halves on the average; None where it does not fall, or there is one step.

        Of the straight line through ln(norm) over the steps, by least squares; norms of 0 are left out.
        """
        places = [place for place, norm in enumerate(self.norms) if norm > 0]
        if len(places) < 2:
            return None
        slope = linear_regression(places, [math.log(self.norms[place]) for place in places]).slope
        return math.log(2) / slope if slope > 0 else None

    def reach(self, share: float = 0.01) -> int | None:
        """From how many steps before the loss on less than this share of the largest norm is left; None: never."""
        far = [back for back, norm in enumerate(reversed(self.scaled)) if norm >= share]
        nearest_lost = far[-1] + 1 if far else 0
        return nearest_lost if nearest_lost < len(self.norms) else None


@dataclass(frozen=True)
class GradientFlow:
    """The gradients of the loss at `step` (counted from 1), over `rows` rows; `layers` from the tokens upwards."""

    step: int
    rows: int
    training: bool
    layers: tuple[LayerFlow, ...]

    def layer(self, number: int) -> tuple[LayerFlow, ...]:
        """The states of one layer, counted from 0; of the last one that says something, where that is lower.

        Of a transformer's last layer no state before the loss's own step is read again, so all their gradients are 0.
        """
        telling = [flow.layer for flow in self.layers if any(flow.norms[:-1])]
        number = min(number, max(telling or [flow.layer for flow in self.layers]))
        return tuple(flow for flow in self.layers if flow.layer == number)


def gradient_flow(
    model: LanguageModel,
    batch: Batch,
    *,
    step: int | None = None,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> GradientFlow:
    """The gradient of the loss at `step` (from 1; the last one if none is named) with respect to every earlier state.

    The rows begin anew. With `training` dropout is on, its masks drawn from `generator`. Rows that are shorter than
    `step` do not count.

    Raises:
        SettingError: no row has a token to predict at that step.
    """
    time = batch.inputs.shape[1]
    step = time if step is None else step
    there = torch.ones(len(batch.inputs)) if batch.mask is None else batch.mask[:, step - 1 : step].sum(1)
    if not 1 <= step <= time or not there.sum():
        raise SettingError(f"No row has a token to predict at step {step}", f"1 to {time}", "choose another step")
    with in_mode(model, training, generator), torch.enable_grad(), watching_states(model) as pieces:
        device = next(model.parameters()).device
        logits, _ = model(batch.inputs.to(device))
        nats = token_nats(logits[:, step - 1 : step], batch.targets[:, step - 1 : step].to(device))[:, 0]
        weights = there.to(nats)
        loss = (nats * weights).sum() / weights.sum()
        norms = {name: gradient_norms(loss, parts, step) for name, parts in pieces.items()}
    flows = [LayerFlow(int(name.split(".")[1]), name.split(".")[2], norms[name]) for name in norms]
    flows.sort(key=lambda flow: (flow.layer, flow.value))
    return GradientFlow(step, int(there.sum()), training, tuple(flows))


@contextmanager
def in_mode(model: LanguageModel, training: bool, generator: torch.Generator | None) -> Iterator[None]:
    """The model in training or evaluation mode, its dropout drawn from `generator`, while the block runs."""
    before = model.training, model.generator
    model.train(training)
    model.generator = generator
    try:
        yield
    finally:
        model.train(before[0])
        model.generator = before[1]


@contextmanager
def watching_states(model: LanguageModel) -> Iterator[dict[str, list[tuple[int, Tensor]]]]:
    """The pieces of each layer's state as they are computed, with the step that each begins at (from 0).

    Where a transformer's window restarts, a step is in several pieces.
    """
    pieces: dict[str, list[tuple[int, Tensor]]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)

    def watch(name: str, value: Tensor) -> Tensor:
        if STATE.match(name):
            pieces[name].append((seen[name] - model.repeated, value))
            seen[name] += value.shape[1] - model.repeated
        return value

    with probing(model, watch):
        yield pieces


def gradient_norms(loss: Tensor, pieces: list[tuple[int, Tensor]], steps: int) -> tuple[float, ...]:
    """The Frobenius norm of the loss's gradient at each of the first so many steps; what it ignores has 0."""
    found = torch.autograd.grad(loss, [value for _, value in pieces], retain_graph=True, allow_unused=True)
    rows, width = pieces[0][1].shape[0], pieces[0][1].shape[2]
    total = loss.new_zeros(rows, max(start + value.shape[1] for start, value in pieces), width, dtype=torch.float64)
    for (start, value), gradient in zip(pieces, found, strict=True):
        if gradient is not None:
            total[:, start : start + value.shape[1]] += gradient
    return tuple(total[:, :steps].square().sum((0, 2)).sqrt().tolist())


def first_batch(run: Run, corpus: Corpus) -> Batch:
    """The minibatch that the run's first update saw."""
    train = run.config.train
    length, specials = train.sequence_length or 1, corpus.tokenizer.specials
    return next(sampler(corpus.train, train.batching, train.batch_size, length, train.seed, train.max_tokens, specials))


def run_gradient_flow(run: Run, corpus: Corpus, checkpoint: Checkpoint | None = None) -> GradientFlow:
    """As REFERENCE A has it: loss at the last step of the first training minibatch, from new rows, with dropout."""
    generator = torch.Generator().manual_seed(run.config.train.seed)
    return gradient_flow(run.model(checkpoint), first_batch(run, corpus), generator=generator)


def gradient_flow_exhibits(flows: Mapping[str, GradientFlow], layer: int | None = None) -> list[Exhibit]:
    """Norms over steps, scaled and raw, and a table of how much is left at steps further back.

    `layer` (from 0) shows that layer only, or a lower one: see `GradientFlow.layer`.
    """
    shown: dict[str, LayerFlow] = {}
    for name, flow in flows.items():
        chosen = flow.layers if layer is None else flow.layer(layer)
        shown |= {f"{name}, {each.name}": each for each in chosen}
    lower = layer is not None and any(flow.layer(layer)[0].layer < layer for flow in flows.values())
    rows = " and ".join(str(count) for count in sorted({flow.rows for flow in flows.values()}))
    mode = "with dropout" if all(flow.training for flow in flows.values()) else "without dropout"
    caption = (
        f"Norm (Frobenius, over {rows} row{'s' * (rows != '1')} and the layer's width) of the gradient of the mean "
        f"loss at the last step only, with respect to the state at each step; new rows, {mode}."
    )
    if lower:
        caption += (
            f" Where a model has no layer {layer}, or nothing reads its earlier states again (a transformer's last "
            "layer), the one below is shown."
        )

    once = [label for label, each in shown.items() if each.read_once]
    if once:
        caption += (
            f" Of {'; '.join(once)} the last step alone has a gradient, drawn as one dot: of a transformer's last "
            "layer no earlier state is read again."
        )

    def lines(name: str, title: str, norms: dict[str, tuple[float, ...]], y: Axis, more: str) -> Lines:
        series = tuple(
            Series(
                name=label,
                x=tuple(range(1, len(values) + 1)),
                y=tuple(value if value > 0 or not y.log else None for value in values),
                dashed=shown[label].value == "cell",
            )
            for label, values in norms.items()
        )
        x = Axis("step, from 1")
        return Lines(name=name, title=title, caption=f"{caption} {more}", x=x, y=y, series=series)

    places = [0, 1, 5, 10, 20, 30]
    columns = [
        Column("state", numeric=False),
        *(Column(f"{back} back", ".2e") for back in places),
        Column("below 1% from", ","),
    ]
    table = [
        (label, *(each.scaled[-1 - back] if back < len(each.norms) else None for back in places), each.reach())
        for label, each in shown.items()
    ]
    scaled = {label: each.scaled for label, each in shown.items()}
    raw = {label: each.norms for label, each in shown.items()}
    return [
        lines("gradient-scaled", "Gradient through time, scaled", scaled, Axis("share of the largest norm"),
              "Each curve is divided by its largest norm."),
        lines("gradient-raw", "Gradient through time", raw, Axis("norm of the gradient", log=True),
              "Logarithmic: a straight fall is one factor a step; norms of 0 are left out."),
        Table(name="gradient-back", title="What is left of the gradient, steps back from the loss",
              caption=f"{caption} As a share of the curve's largest norm; the last column says from how many steps "
              "back on less than a hundredth is left (a dash: never).", columns=tuple(columns),
              rows=tuple(table)),
    ]  # fmt: skip
