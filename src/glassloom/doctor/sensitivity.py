"""How strongly the last prediction depends on the input so many steps back: the gradient, by lag."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.doctor.finding import Finding
from glassloom.doctor.guarded import default_dtype, sow
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Passer, call, read
from glassloom.doctor.tracing import EmbeddingHandles, positions_of

TENFOLD = 0.07
"""Clearly less than a tenth: recurrent weights of 0.01 in a hundred units give a tenth, and can be trained."""
GROWTH = 5.0
"""How many times larger the sensitivity must be half a window further back to be called growing."""


@dataclass(frozen=True)
class ByLag:
    """The norm of the gradient with respect to the input vector at each lag, from 0: root mean squares over rows."""

    values: list[float]
    from_first: list[float]
    """The same of the first input vector on the prediction at each place, from 0: where the state itself grows, a
    window's lags look alike, and only this grows."""
    change_by_past: float
    """How far the last logits move when all of the past is replaced: not a gradient."""


def sensitivity_findings(opened: Opened) -> list[Finding]:
    """vanishing-gradient and exploding-gradient."""
    if opened.time < 4 or opened.square_only or opened.passer.layout.last_only:
        return []
    measured = [finite_by_lag(opened, opened.passer.with_(seed=seed)) for seed in (0, 1)]
    if not all(measured):
        return []
    for judge in (exploding, vanishing):
        found = [judge(one) for one in measured if one]
        if all(found) and found[0]:
            return [found[0]]
    return []


def finite_by_lag(opened: Opened, passer: Passer) -> ByLag | None:
    """The sensitivities over the longest window in which they are finite, so that growth is seen before infinity."""
    found = None
    for length in (opened.long, 23, 19, 13, 11, 8):
        if length <= opened.long:
            found = by_lag(opened, passer, length)
            if found is None or all(map(math.isfinite, found.values)):
                break
    return found


def by_lag(opened: Opened, passer: Passer, length: int) -> ByLag | None:
    """The sensitivities of a new model; None where no gradient can be had."""
    tokens = opened.tokens(31, time=length)
    reader = passer.reader()
    sow(opened.subject.seed)
    try:
        rows = gradient_rows(reader.module, passer, tokens)
    except Exception:
        return None
    if rows is None:
        return None
    values = root_mean_square(rows[-1].flip(1))
    first = root_mean_square(torch.stack([table[:, 0] for table in rows], 1))
    others = opened.tokens(32, time=length)
    others[:, -1] = tokens[:, -1]
    base = passer.reader()(tokens)[:, -1]
    change = (passer.reader()(others)[:, -1] - base).double().abs().max().item()
    return ByLag(values, first, change / max(base.abs().max().item(), 1e-30))


def root_mean_square(rows: Tensor) -> list[float]:
    """Over the rows, at each place."""
    return [value if math.isfinite(value) else math.inf for value in rows.pow(2).mean(0).sqrt().tolist()]


def gradient_rows(module: torch.nn.Module, passer: Passer, tokens: Tensor) -> list[Tensor] | None:
    """For each place, the norms `batch time` of the gradient of some random sums of its logits."""
    batch, time = tokens.shape
    given = tokens.t().contiguous() if passer.layout.time_first else tokens
    with default_dtype(passer.dtype), torch.enable_grad():
        with EmbeddingHandles(given) as handles:
            logits = read(called(module, given, passer), batch, time, passer.layout)
        places = [positions_of(source, tokens) for source in handles.sources]
        sure = [place for place in places if place is not None]
        if not handles.handles or len(sure) < len(places):
            return None
        generator = torch.Generator().manual_seed(1)
        tables = []
        for place in range(time):
            total = torch.zeros(batch, time, dtype=torch.float64)
            draws = 4 if place == time - 1 else 1
            for _ in range(draws):
                direction = torch.randn(logits.shape[-1], generator=generator, dtype=torch.float64, device="cpu")
                last = (logits[:, place] * direction.to(logits)).sum()
                found = torch.autograd.grad(last, handles.handles, retain_graph=True, allow_unused=True)
                total += gathered(found, sure, batch, time)
            tables.append((total / draws).sqrt())
    return tables


def called(module: torch.nn.Module, given: Tensor, passer: Passer) -> object:
    """The model called with this very tensor, so that what becomes of it can be followed."""
    if passer.layout.with_targets:
        return module(given, given.clone())
    if passer.layout.time_first:
        return module(given, None) if passer.layout.with_none else module(given)
    return call(module, given, passer.layout)


def gathered(found: tuple[Tensor | None, ...], places: list[Tensor], batch: int, time: int) -> Tensor:
    """The squared gradients of all handles as `batch time`, whether tokens went in at once or step by step."""
    total = torch.zeros(batch * time, dtype=torch.float64)
    for gradient, place in zip(found, places, strict=True):
        if gradient is not None:
            total.index_add_(0, place, gradient.double().pow(2).cpu().reshape(len(place), -1).sum(-1))
    return total.reshape(batch, time)


def exploding(one: ByLag) -> Finding | None:
    """The finding, where the sensitivity grows along the first half of the lags and does not fall in the second."""
    for values in (one.values, one.from_first):
        until = next((place for place, value in enumerate(values) if not math.isfinite(value)), len(values))
        found = growing(values[:until])
        if found:
            return found
    return None


def growing(values: list[float]) -> Finding | None:
    """The finding for one row of sensitivities.

    A moderate growth must be there in both halves: in a deep causal stack the very first positions weigh more, since
    every later one looks at them, but the middle ones do not.
    """
    half = len(values) // 2
    if half < 4 or values[1] <= 0:
        return None
    near = sum(values[1:3]) / 2
    middle = sum(values[half : half + 2]) / 2
    far = sum(values[-3:-1]) / 2
    ratio = far / near
    steady = middle > near * min(GROWTH, 1.12**half) and far > 1.5 * middle and ratio > GROWTH
    if not (steady or (ratio > 20 * GROWTH and middle > near and far > 1.5 * middle)):
        return None
    rate = ratio ** (1 / (len(values) - 3)) if math.isfinite(far) else math.inf
    evidence = {"growth_a_step": rate, "by_lag": rounded(values), "farthest_over_nearest": ratio}
    words = f"The gradient grew by a factor of {rate:.2f} a step over {len(values) - 1} steps, {ratio:.3g} in all."
    return finding("exploding-gradient", evidence, words)


def vanishing(one: ByLag) -> Finding | None:
    """The finding, where each of the first steps loses more than nine tenths."""
    values = one.values
    if not all(map(math.isfinite, values[:4])) or values[0] <= 0 or len(values) < 4:
        return None
    ratios = [values[lag + 1] / values[lag] if values[lag] > 0 else 0.0 for lag in range(3)]
    cut = values[1] == 0.0 and one.change_by_past > 1e-6
    if cut:
        words = (
            "No gradient reaches the input one step back although that input moves the prediction: something between "
            "the steps cuts the gradient (detach, no_grad, .data)."
        )
        evidence = {"by_lag": rounded(values[:8]), "change_by_the_past": one.change_by_past}
        return finding("vanishing-gradient", evidence, words)
    if values[2] == 0.0 or values[1] == 0.0:
        return None  # a short window, or no past at all: not a decay
    mean = (ratios[0] * ratios[1] * max(ratios[2], 1e-12)) ** (1 / 3)
    if mean >= TENFOLD or max(ratios[1:]) >= 1.5 * TENFOLD or ratios[0] >= 2.5 * TENFOLD:
        return None
    evidence = {"ratio_a_step": mean, "by_lag": rounded(values[:8])}
    words = f"One step further back the gradient was {mean:.2g} times as large, on average over the first three steps."
    return finding("vanishing-gradient", evidence, words)


def rounded(values: list[float]) -> list[float]:
    """Numbers short enough to be read."""
    return [float(f"{value:.3g}") for value in values]
