"""What the contract asks of a model beyond what the doctor asks of anybody's: measurements, for the tests.

That the future leaves the past alone, and that nothing else of `glassloom.doctor` is found, is measured there and
called from the same suite. Here is what only a model with a state and a glossary can be asked, and what is held to a
closer bound than a stranger's model: rows with their states, the loss at the start, a gradient everywhere at once.

Every check takes a model and some token ids, leaves the model as it was, and returns a `Measure`: a number, the bound
it must keep, and a sentence. Differences are measured in float64, in which a sound model's are rounding alone.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from safetensors.torch import load, save
from torch import Tensor

from glassloom.loss import token_nats
from glassloom.models.contract import LanguageModel, take_rows
from glassloom.models.inside import inner_value, recording
from glassloom.shapes import Tokens

ROUNDING = 1e-9
"""How far two float64 computations of the same logits may lie apart."""


@dataclass(frozen=True)
class Measure:
    """One property of a model as a number; it holds where the number keeps its bound."""

    claim: str
    value: float
    bound: float
    detail: str = ""

    @property
    def holds(self) -> bool:
        """False for a value beyond its bound, and for one that is not a number."""
        return self.value <= self.bound


Check: TypeAlias = Callable[[LanguageModel, Tokens], Measure]


def pieces_equal_one_pass(model: LanguageModel, tokens: Tokens) -> Measure:
    """The text in pieces (halves, then token by token), the state carried, gives the logits of one pass."""
    with evaluating(model) as exact:
        whole, half = exact(tokens)[0], (tokens.shape[1] + 1) // 2
        worst = 0.0
        for sizes in ([half, tokens.shape[1] - half], [1] * tokens.shape[1]):
            state, parts = None, []
            for piece in tokens.split(sizes, 1):
                logits, state = exact(piece, state)
                parts.append(logits)
            worst = max(worst, difference(torch.cat(parts, 1), whole))
    return Measure("pieces with the carried state equal one pass", worst, ROUNDING)


def rows_leave_each_other_alone(model: LanguageModel, tokens: Tokens) -> Measure:
    """A row's logits are those that it has alone; a state's rows can be chosen, and begun anew, one by one."""
    with evaluating(model) as exact:
        whole, state = exact(tokens)
        alone = torch.cat([exact(row[None])[0] for row in tokens])
        worst = difference(alone, whole)
        after = exact(tokens, state)[0]
        order = torch.arange(len(tokens), device=tokens.device).flip(0)
        worst = max(worst, difference(exact(tokens[order], take_rows(state, order))[0], after[order]))
        fresh = torch.arange(len(tokens), device=tokens.device) % 2 == 0
        begun = exact(tokens, exact.restart(state, fresh))[0]
        worst = max(worst, difference(begun, torch.where(fresh[:, None, None], whole, after)))
    return Measure("rows never touch each other", worst, ROUNDING)


def loss_starts_near_uniform(model: LanguageModel, tokens: Tokens) -> Measure:
    """Before training, the loss on random tokens is near ln(vocabulary)."""
    with evaluating(model) as exact:
        found, uniform = mean_nats(exact, tokens).item(), math.log(model.vocabulary)
    return Measure("the loss starts near ln(vocabulary)", abs(found - uniform), 1.0, f"{found:.3f} and {uniform:.3f}")


def one_batch_is_learned(model: LanguageModel, tokens: Tokens, steps: int = 300, lr: float = 0.02) -> Measure:
    """A copy, trained by Adam on this batch alone, comes below a tenth of ln(vocabulary)."""
    trained, bound = copy.deepcopy(model).eval(), 0.1 * math.log(model.vocabulary)
    optimizer, found = torch.optim.Adam(trained.parameters(), lr), math.inf
    with torch.enable_grad():
        for _ in range(steps):
            loss = mean_nats(trained, tokens)
            found = loss.item()
            if not bound < found < math.inf:
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Measure("one batch can be learned by heart", found, bound, "nats a token")


def every_parameter_gets_a_gradient(model: LanguageModel, tokens: Tokens) -> Measure:
    """Nothing that is trained is cut off from the loss."""
    with evaluating(model) as exact, torch.enable_grad():
        found = torch.autograd.grad(mean_nats(exact, tokens), list(exact.parameters()), allow_unused=True)
    names = [name for name, _ in model.named_parameters()]
    without = [n for n, g in zip(names, found, strict=True) if g is None or not bool(g.abs().max() > 0)]
    return Measure("every parameter gets a gradient", float(len(without)), 0.0, ", ".join(without))


def opened_equals_saved(model: LanguageModel, tokens: Tokens) -> Measure:
    """The weights as safetensors, opened by a newly built model, give the very same logits."""
    other = type(model)(model.settings, model.vocabulary, torch.Generator().manual_seed(1)).to(tokens.device)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    other.load_state_dict(load(save(weights)))
    with torch.no_grad():
        found = difference(other.eval()(tokens)[0], copy.deepcopy(model).eval()(tokens)[0])
    return Measure("saved and opened gives equal logits", found, 0.0)


def gradients_equal_differences(
    model: LanguageModel, tokens: Tokens, entries: int | None = 6, step: float = 1e-4
) -> Measure:
    """Analytic gradients equal centred differences: the worst of `gradient_errors`.

    A relu has no gradient at its kink, so a difference across one is no error of the model's: the claim is for smooth
    activations.
    """
    errors = gradient_errors(model, tokens, entries, step)
    worst = max(errors, key=lambda name: errors[name])
    return Measure("analytic gradients equal numerical ones", errors[worst], 1e-6, worst)


def gradient_errors(
    model: LanguageModel, tokens: Tokens, entries: int | None = None, step: float = 1e-4
) -> dict[str, float]:
    """For each parameter tensor |ga - gn| / max(floor, |ga| + |gn|), in float64, norms over `entries` of its entries.

    The floor is 1e-4 of the largest gradient norm: where the true gradient is zero (an attention's key bias), the ratio
    of two rounding errors says nothing. Without `entries` every entry is measured.
    """
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    with evaluating(model) as exact:
        parameters = dict(exact.named_parameters())
        with torch.enable_grad():
            found = torch.autograd.grad(mean_nats(exact, tokens), list(parameters.values()))
        for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
            flat, chosen = parameter.view(-1), most_telling(gradient.reshape(-1), entries)
            numerical = []
            for place in chosen.tolist():
                before = flat[place].item()
                flat[place] = before + step
                above = mean_nats(exact, tokens)
                flat[place] = before - step
                numerical.append((above - mean_nats(exact, tokens)).item() / (2 * step))
                flat[place] = before
            pairs[name] = gradient.reshape(-1)[chosen], gradient.new_tensor(numerical)
    floor = 1e-4 * max(analytic.norm().item() for analytic, _ in pairs.values())
    return {n: ((a - b).norm() / (a.norm() + b.norm()).clamp(min=floor)).item() for n, (a, b) in pairs.items()}


def most_telling(gradient: Tensor, entries: int | None) -> Tensor:
    """Half of the entries where the gradient is largest, the others evenly spread; all where None."""
    if entries is None or entries >= len(gradient):
        return torch.arange(len(gradient), device=gradient.device)
    largest = gradient.abs().topk(entries // 2).indices
    spread = torch.linspace(0, len(gradient) - 1, entries - entries // 2, device=gradient.device).long()
    return torch.cat([largest, spread]).unique()


def inner_values_are_as_declared(model: LanguageModel, tokens: Tokens) -> Measure:
    """Every inner value has a name and axes of the glossary, and looking at them changes nothing."""
    with evaluating(model) as exact:
        plain = exact(tokens)[0]
        with recording(exact) as values:
            seen = exact(tokens)[0]
        faults = [fault for name, value in values.items() for fault in faults_of(name, value, tokens)]
    if "output.hidden" not in values:
        faults.append("output.hidden is not shown")
    if difference(plain, seen) > ROUNDING:
        faults.append(f"logits change by {difference(plain, seen):.1e} when inner values are looked at")
    return Measure("every inner value is as declared", float(len(faults)), 0.0, "; ".join(faults))


def faults_of(name: str, value: Tensor, tokens: Tokens) -> list[str]:
    """What is wrong with one inner value's name or axes."""
    try:
        axes = inner_value(name).axes.split()
    except KeyError:
        return [f"{name} is not in the glossary"]
    if len(axes) != value.ndim:
        return [f"{name} has {value.ndim} axes, not {len(axes)}"]
    sizes = {"batch": tokens.shape[0], "time": tokens.shape[1]}
    return [
        f"{name} has {size} along {axis}, not {sizes[axis]}"
        for axis, size in zip(axes, value.shape, strict=True)
        if size != sizes.get(axis, size)
    ]


CHECKS: dict[str, Check] = {
    "pieces": pieces_equal_one_pass,
    "rows": rows_leave_each_other_alone,
    "start": loss_starts_near_uniform,
    "overfit": one_batch_is_learned,
    "gradient": every_parameter_gets_a_gradient,
    "saved": opened_equals_saved,
    "differences": gradients_equal_differences,
    "inside": inner_values_are_as_declared,
}
"""Every check, by a short name."""


def mean_nats(model: LanguageModel, tokens: Tokens) -> Tensor:
    """The loss of each token given those before it, the first one given nothing left out."""
    return token_nats(model(tokens[:, :-1])[0], tokens[:, 1:]).mean()


def difference(left: Tensor, right: Tensor) -> float:
    """The largest difference between two tensors; infinite where one is not finite."""
    if not left.numel():
        return 0.0
    found = (left - right).abs().max().item()
    return found if math.isfinite(found) else math.inf


@contextmanager
def evaluating(model: LanguageModel) -> Iterator[Any]:
    """A copy of the model in float64, without dropout and without gradients unless asked for."""
    probe, model.probe = model.probe, None
    try:
        exact = copy.deepcopy(model).double().eval()
    finally:
        model.probe = probe
    with torch.no_grad():
        yield exact
