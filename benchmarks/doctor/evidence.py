"""For each name, a measurement of its own that a sick case has what it is said to have, without the doctor.

Each takes the subject and says whether the fault is there. They are simpler than a doctor's: they know what to look
for.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from subject import BATCH, LENGTH, Subject, first, undisturbed

TOLERANCE = 1e-5


def some(subject: Subject, rows: int = BATCH, length: int = LENGTH, seed: int = 7) -> Tensor:
    return torch.randint(0, subject.vocab, (rows, length), generator=torch.Generator().manual_seed(seed))


def said(subject: Subject, x: Tensor, model: nn.Module | None = None) -> Tensor:
    """The logits in eval mode, of a copy of the model: one call leaves nothing behind for the next."""
    model = copy.deepcopy(model or subject.model()).eval()
    torch.manual_seed(1)
    with torch.no_grad(), undisturbed():
        return subject.logits(model, x)


def moved(subject: Subject, row: int, time: int) -> Tensor:
    """How far each prediction moves, `batch time`, when one token is another."""
    x, model = some(subject), subject.model()
    other = x.clone()
    other[row, time] = (x[row, time] + 1) % subject.vocab
    return (said(subject, x, model) - said(subject, other, model)).abs().amax(-1)


def softmax_before_loss(subject: Subject) -> bool:
    out, x = said(subject, some(subject)), some(subject)
    share = bool((out >= 0).all()) and torch.allclose(out.sum(-1), torch.ones(()), atol=1e-4)
    perfect = F.one_hot(x, subject.vocab).float() * (1.0 if share else 50.0)
    return subject.loss(perfect, x).item() > 0.5


def future_leak(subject: Subject) -> bool:
    return moved(subject, 0, LENGTH - 1)[0, : LENGTH - 1].max().item() > TOLERANCE


def batch_leak(subject: Subject) -> bool:
    return moved(subject, 0, 3)[1:].max().item() > TOLERANCE


def time_batch_swapped(subject: Subject) -> bool:
    x = some(subject, 5, 9)
    out = said(subject, x)
    right = out if out.shape[:2] == (9, 5) else out.reshape(9, 5, -1)
    alone = torch.cat([said(subject, x[row : row + 1]).reshape(1, 9, -1) for row in range(5)])
    return torch.allclose(right.transpose(0, 1), alone, atol=1e-5)


def no_past(subject: Subject) -> bool:
    change = moved(subject, 0, 4)[0]
    return change[5:].max().item() == 0 and change[4].item() > TOLERANCE


def input_ignored(subject: Subject) -> bool:
    return torch.equal(said(subject, some(subject)), said(subject, some(subject, seed=8)))


def no_position(subject: Subject) -> bool:
    x, model = some(subject), subject.model()
    mixed = torch.cat([x[:, :-1].flip(1), x[:, -1:]], 1)
    same = (said(subject, x, model)[:, -1] - said(subject, mixed, model)[:, -1]).abs().max().item() < TOLERANCE
    return same and moved(subject, 0, 2)[0, -1].item() > TOLERANCE


def eval_randomness(subject: Subject) -> bool:
    model, x = subject.model().eval(), some(subject)
    with torch.no_grad():
        one = subject.logits(copy.deepcopy(model), x)
        return not torch.equal(one, subject.logits(copy.deepcopy(model), x))


def state_leaks_across_calls(subject: Subject) -> bool:
    model, x = subject.model().eval(), some(subject)
    with torch.no_grad():
        one = subject.logits(model, x)
        return not torch.equal(one, subject.logits(model, x)) and not eval_randomness(subject)


def bad_initial_loss(subject: Subject) -> bool:
    return subject.nats(subject.model()) > 2 * torch.tensor(float(subject.vocab)).log().item()


def vocabulary_mismatch(subject: Subject) -> bool:
    return said(subject, some(subject)).shape[-1] != subject.vocab


def after_backward(subject: Subject) -> tuple[nn.Module, Tensor]:
    model = subject.model()
    x, y = subject.batch(torch.Generator().manual_seed(1))
    loss = subject.loss(subject.logits(model, x), y)
    loss.backward()
    return model, loss


def unreached_parameters(subject: Subject) -> bool:
    model, _ = after_backward(subject)
    return any(p.requires_grad and p.grad is None for p in model.parameters())


def optimizer_misses_parameters(subject: Subject) -> bool:
    model = subject.model()
    held = {id(p) for group in subject.optimizer(model).param_groups for p in group["params"]}
    loss = subject.loss(subject.logits(model, some(subject)), some(subject))
    return any(id(leaf) not in held for leaf in leaves(loss))


def leaves(loss: Tensor) -> list[Tensor]:
    """The tensors that a gradient would arrive at."""
    return [node.variable for node in graph(loss.grad_fn) if hasattr(node, "variable")]


def graph(root: Any) -> list[Any]:
    """Every node of the graph behind one."""
    seen: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is not None and id(node) not in seen:
            seen[id(node)] = node
            waiting.extend(before for before, _ in node.next_functions)
    return list(seen.values())


def layers_share_weights(subject: Subject) -> bool:
    for module in subject.model().modules():
        if isinstance(module, (nn.ModuleList, nn.Sequential)):
            found = [id(p) for child in module for p in child.parameters()]
            if len(set(found)) < len(found):
                return True
    return False


def gradients_not_zeroed(subject: Subject) -> bool:
    """What is in the gradients before a step makes a difference after it."""
    x, y = subject.batch(torch.Generator().manual_seed(1))
    found = []
    for before in (0.0, 1.0):
        model = subject.model()
        for p in model.parameters():
            p.grad = torch.full_like(p, before)
        subject.step(model, subject.optimizer(model), x, y)
        found.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    return not torch.allclose(*found, atol=1e-6)


def sensitivity(subject: Subject, reach: int) -> Tensor:
    """The norm of the last prediction's gradient at the embedding, by distance from 0 to `reach`."""
    model, kept = subject.model().eval(), []
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.num_embeddings == subject.vocab:
            module.register_forward_hook(lambda _module, _args, out: kept.append(out))
    out = subject.logits(model, some(subject, 4, reach + 1))[:, -1]
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(3))
    steps = torch.autograd.grad((out * weights).sum(), kept)
    grads = steps[0] if len(steps) == 1 else torch.stack(steps, 1)
    return grads.flip(1).norm(dim=-1).mean(0)


def vanishing_gradient(subject: Subject) -> bool:
    felt = sensitivity(subject, 12)
    return all(felt[k + 1] < felt[k] / 10 for k in range(3))


def exploding_gradient(subject: Subject) -> bool:
    felt = sensitivity(subject, 32)
    return (felt[32] > 5 * felt[1]).item() is True


def saturated_attention(subject: Subject) -> bool:
    """The mean of the largest weight of every softmax over as many keys as queries, beyond the fourth."""
    peaks: list[float] = []
    real = F.softmax, torch.softmax, Tensor.softmax

    def watched(of: Any) -> Any:
        def softmax(scores: Tensor, *args: Any, **more: Any) -> Tensor:
            weights: Tensor = of(scores, *args, **more)
            if weights.ndim >= 3 and weights.shape[-1] == weights.shape[-2]:
                peaks.append(weights[..., 4:, :].amax(-1).mean().item())
            return weights

        return softmax

    try:
        F.softmax, torch.softmax, Tensor.softmax = map(watched, real)  # type: ignore[misc, assignment]
        attending = nn.MultiheadAttention.forward
        nn.MultiheadAttention.forward = lambda self, *a, **k: attending(self, *a, **{**k, "need_weights": True})  # type: ignore[method-assign]
        subject.logits(subject.model(), some(subject))
    finally:
        F.softmax, torch.softmax, Tensor.softmax = real  # type: ignore[misc, assignment]
        nn.MultiheadAttention.forward = attending  # type: ignore[method-assign]
    return max(peaks) > 0.85


def scored(subject: Subject, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets, and the gradient at the logits of one of its own steps, all `batch time`."""
    model, kept = subject.model(), []

    def keep(_module: nn.Module, _inputs: Any, out: Any) -> None:
        logits = first(out)
        logits.retain_grad()
        kept.append(logits)

    model.register_forward_hook(keep)
    x, y = subject.batch(torch.Generator().manual_seed(seed))
    subject.step(model, subject.optimizer(model), x, y)
    grad = subject.turn(kept[0].grad)
    return x, y, grad


def shift(subject: Subject) -> int | None:
    """How far ahead of a position's input the token lies that its loss wants: the commonest of -3 to 3."""
    x, _, grad = scored(subject)
    wanted = grad.argmin(-1)
    agreed = {}
    for ahead in range(-3, 4):
        a, b = (x[:, ahead:], wanted[:, : LENGTH - ahead]) if ahead >= 0 else (x[:, :ahead], wanted[:, -ahead:])
        agreed[ahead] = (a == b).float().mean().item()
    best = max(agreed, key=lambda ahead: agreed[ahead])
    return best if agreed[best] > 0.9 else None


def targets_not_shifted(subject: Subject) -> bool:
    return shift(subject) == 0


def targets_misaligned(subject: Subject) -> bool:
    return shift(subject) not in (None, 0, 1)


def loss_ignores_positions(subject: Subject) -> bool:
    _, _, grad = scored(subject)
    return bool((grad.abs().sum(-1) == 0).any())


def loss_misreads_axes(subject: Subject) -> bool:
    _, y, grad = scored(subject)
    return (grad.argmin(-1) == y).float().mean().item() < 0.5


def loss_not_a_mean(subject: Subject) -> bool:
    losses = []
    for size, length in ((8, 8), (16, 8), (8, 16)):
        model = subject.model()
        x, y = subject.batch(torch.Generator().manual_seed(1), size, length)
        losses.append(subject.step(model, subject.optimizer(model), x, y))
    return max(losses[1], losses[2]) > 1.6 * losses[0]


def padding_counted(subject: Subject) -> bool:
    _, y, grad = scored(subject)
    padded = y.flip(1).eq(0).cumprod(1).flip(1).bool() & (y.flip(1).eq(0).cumprod(1).sum(1, keepdim=True) >= 3)
    return bool(padded.any()) and bool((grad.abs().sum(-1)[padded] > 0).all())


def state_not_detached(subject: Subject) -> bool:
    model, sizes = subject.model(), []
    model.register_forward_hook(lambda _module, _inputs, out: sizes.append(len(graph(first(out).grad_fn))))
    optimizer, generator = subject.optimizer(model), torch.Generator().manual_seed(1)
    try:
        for _ in range(4):
            subject.step(model, optimizer, *subject.batch(generator))
    except RuntimeError as error:
        return "backward through the graph a second time" in str(error)
    return sizes[3] > 2 * sizes[0]


def state_reset_each_window(subject: Subject) -> bool:
    """The state that the loop hands over may as well be another one."""
    model, given = subject.model(), []
    handle = model.register_forward_pre_hook(lambda _module, inputs: given.append(inputs))
    optimizer, generator = subject.optimizer(model), torch.Generator().manual_seed(1)
    for _ in range(3):
        subject.step(model, optimizer, *subject.batch(generator))
    handle.remove()
    x, state = given[-1]
    parts = state if isinstance(state, (tuple, list)) else [state]
    other = [torch.randn_like(part) for part in parts]
    other_state = type(state)(other) if isinstance(state, (tuple, list)) else other[0]
    with torch.no_grad():
        return torch.equal(first(model.eval()(x, state)), first(model(x, other_state)))


def generation_mismatch(subject: Subject) -> bool:
    """After some steps of training: a model that knows nothing yet may say the same to whatever it sees."""
    model, prompt = subject.taught(subject.model(), 60).eval(), some(subject, 16, 6)
    theirs = subject.own["generate"](model, prompt, 8)[:, -8:]
    own = prompt
    for _ in range(8):
        own = torch.cat([own, said(subject, own, model)[:, -1:].argmax(-1)], 1)
    return not torch.equal(theirs, own[:, -8:])


def non_finite(subject: Subject) -> bool:
    model, loss = after_backward(subject)
    values = [loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]
    return not all(bool(torch.isfinite(value).all()) for value in values)


EVIDENCE = {
    function.__name__.replace("_", "-"): function
    for function in (
        softmax_before_loss, future_leak, batch_leak, time_batch_swapped, no_past, input_ignored, no_position,
        eval_randomness, state_leaks_across_calls, bad_initial_loss, vocabulary_mismatch, unreached_parameters,
        optimizer_misses_parameters, layers_share_weights, gradients_not_zeroed, vanishing_gradient, exploding_gradient,
        saturated_attention, targets_not_shifted, targets_misaligned, loss_ignores_positions, loss_misreads_axes,
        loss_not_a_mean, padding_counted, state_not_detached, state_reset_each_window, generation_mismatch, non_finite,
    )
}  # fmt: skip
"""By name. Of the learning rates and of no-progress the evidence is that only the mended twin learns."""
