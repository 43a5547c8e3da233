"""The optimizers, by name, and their states as plain named tensors.

    sgd       v = momentum v + g;  theta -= lr v                            Polyak (1964)
    adagrad   m = m + g^2;  theta -= lr g / sqrt(m + eps)                   Duchi et al. (2011), eps inside the root
    rmsprop   m = beta2 m + (1-beta2) g^2;  theta -= lr g / (sqrt m + eps)  Hinton (2012), lecture 6e
    adam      as Kingma & Ba (2015), algorithm 1
    adamw     adam with decoupled weight decay, Loshchilov & Hutter (2019), algorithm 2
    muon      orthogonalised momentum, Jordan et al. (2024), scaled as in Liu et al. (2025), eq. 4; adamw for the rest

Where torch has the same equation its fused implementation runs; adagrad (torch adds eps outside the root) and muon
(torch knows no gates) are written here. Weight decay acts on matrices (embedding and output too), never on vectors:
biases, gains and initial values stay free. For adamw and muon it is decoupled (theta -= lr decay theta), for the
others it is an L2 penalty (g += decay theta).
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

from glassloom.config.training import TrainSettings
from glassloom.errors import RunError
from glassloom.models.contract import LanguageModel
from glassloom.training.shares import is_cut, own, rows_like, share_of, whole


class Adagrad(Optimizer):
    """Adagrad as REFERENCE B has it: m += g^2, theta -= lr / sqrt(m + eps) g, eps inside the root."""

    def __init__(self, params: Any, lr: float, eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nobody here evaluates inside a step
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            if moved := [weights for weights in group["params"] if weights.grad is not None]:
                self._update(moved, group)

    def _update(self, moved: list[Tensor], group: dict[str, Any]) -> None:
        for weights in moved:
            if not self.state[weights]:
                self.state[weights]["sum"] = torch.zeros_like(weights)
        sums = [own(self.state[weights]["sum"]) for weights in moved]
        gradients = [own(weights.grad) for weights in moved if weights.grad is not None]
        moved = [own(weights) for weights in moved]
        if group["weight_decay"]:
            gradients = list(torch._foreach_add(gradients, moved, alpha=group["weight_decay"]))
        torch._foreach_addcmul_(sums, gradients, gradients)
        roots = torch._foreach_add(sums, group["eps"])
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(moved, gradients, roots, value=-group["lr"])


class Muon(Optimizer):
    """Momentum made orthogonal, for hidden matrices; adamw for embedding, output and vectors, in the same step.

    The momentum is Nesterov's. The update of a matrix is 0.2 sqrt(max(rows, columns)) U V^T, whose root mean square
    is about that of adamw's update, so one learning rate serves both kinds. A matrix of stacked gates is
    orthogonalised one gate at a time, in bfloat16 if `rounded`, as Jordan's are.

    A parameter group with `gates` (how many are stacked in each of its matrices) is of the first kind.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        rounded: bool = False,
    ) -> None:
        self.rounded = rounded
        constants = {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        # "fused" tells load_state_dict that the count of steps belongs on the parameter's device
        super().__init__(params, {**constants, "gates": None, "fused": True})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nobody here evaluates inside a step
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            if group["gates"] is None:
                self._adamw(group)
            else:
                self._orthogonal(group)

    def _orthogonal(self, group: dict[str, Any]) -> None:
        by_shape: dict[tuple[Any, ...], list[tuple[Tensor, Tensor]]] = {}
        for weights, gates in zip(group["params"], group["gates"], strict=True):
            if weights.grad is None:
                continue
            state = self.state[weights]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(weights)
            gradient, mean = own(weights.grad), own(state["momentum_buffer"])
            mean.lerp_(gradient, 1 - group["momentum"])
            update = whole(share_of(gradient.lerp(mean, group["momentum"]), weights))
            matrices = update.reshape(gates, weights.shape[0] // gates, -1)
            by_shape.setdefault((*matrices.shape[1:], weights.device, weights.dtype), []).append((weights, matrices))
        for (rows, columns, *_), together in by_shape.items():
            updates = orthogonalised(torch.cat([matrices for _, matrices in together]), self.rounded)
            size = -group["lr"] * 0.2 * math.sqrt(max(rows, columns))
            counts = [matrices.shape[0] for _, matrices in together]
            for (weights, _), update in zip(together, updates.split(counts), strict=True):
                mine = own(weights)
                mine.mul_(1 - group["lr"] * group["weight_decay"])
                mine.add_(rows_like(update.reshape(weights.shape), weights), alpha=size)

    def _adamw(self, group: dict[str, Any]) -> None:
        moved = [weights for weights in group["params"] if weights.grad is not None]
        if not moved:
            return
        for weights in moved:
            if not self.state[weights]:
                self.state[weights] = {
                    "step": torch.zeros((), dtype=torch.float32, device=weights.device),
                    "exp_avg": torch.zeros_like(weights),
                    "exp_avg_sq": torch.zeros_like(weights),
                }
        states = [self.state[weights] for weights in moved]
        adamw(
            moved,
            [weights.grad for weights in moved],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalised(matrices: Tensor, rounded: bool = False) -> Tensor:
    """Each matrix of (matrices, rows, columns) with its singular values brought near 1, its singular vectors kept.

    Five Newton-Schulz steps X <- a X + b (X X^T) X + c (X X^T)^2 X with Jordan's constants, which end between about
    0.7 and 1.2 rather than exactly at 1. `rounded`: the products in bfloat16, which moves the result by a hundredth.

    >>> singular_values = torch.linalg.svdvals(orthogonalised(torch.tensor([[[5.0, 1.0], [0.0, 2.0]]])))
    >>> bool((singular_values > 0.6).all() and (singular_values < 1.3).all())
    True
    """
    dtype = matrices.dtype
    tall = matrices.shape[1] > matrices.shape[2]
    matrices = matrices.mT if tall else matrices
    matrices = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    if rounded:
        matrices = matrices.bfloat16()
    for _ in range(5):
        gram = matrices @ matrices.mT
        gram = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        matrices = torch.baddbmm(matrices, gram, matrices, beta=3.4445)
    return (matrices.mT if tall else matrices).to(dtype)


def build_optimizer(model: LanguageModel, settings: TrainSettings) -> Optimizer:
    """The optimizer that the settings name, over all of the model's trainable parameters."""
    trainable = [(name, weights) for name, weights in model.named_parameters() if weights.requires_grad]
    gates = model.gate_counts() if settings.optimizer == "muon" else {}
    hidden = [(weights, gates[name]) for name, weights in trainable if name in gates]
    rest = [weights for name, weights in trainable if name not in gates]
    decay, momentum, betas = settings.weight_decay, settings.momentum, (settings.beta1, settings.beta2)
    groups: list[dict[str, Any]] = [
        {"params": [weights for weights in rest if weights.ndim > 1], "weight_decay": decay},
        {"params": [weights for weights in rest if weights.ndim <= 1], "weight_decay": 0.0},
    ]
    if hidden:
        groups.append({"params": [w for w, _ in hidden], "gates": [n for _, n in hidden], "weight_decay": decay})
    groups = [group for group in groups if group["params"]]
    lr, eps = settings.lr, settings.epsilon
    match settings.optimizer:
        case "sgd":
            cut = any(is_cut(weights) for _, weights in trainable)  # torch's fused step knows no shares of workers
            return torch.optim.SGD(groups, lr=lr, momentum=momentum, fused=not cut, foreach=cut)
        case "adagrad":
            return Adagrad(groups, lr=lr, eps=eps)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=lr, alpha=settings.beta2, eps=eps, momentum=momentum)
        case "adam":
            return torch.optim.Adam(groups, lr=lr, betas=betas, eps=eps, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=True)
        case "muon":
            return Muon(groups, lr=lr, betas=betas, eps=eps, rounded=settings.precision == "bfloat16")


def optimizer_copies(settings: TrainSettings) -> int:
    """How many numbers the optimizer keeps for each parameter."""
    own = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2, "muon": 2}[settings.optimizer]
    return own + (settings.momentum > 0 and settings.optimizer in ("sgd", "rmsprop"))


def set_learning_rate(optimizer: Optimizer, lr: float) -> None:
    """Use this learning rate from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def _named_parameters(optimizer: Optimizer, model: LanguageModel) -> list[tuple[str, Tensor]]:
    """The optimizer's parameters in its own order, with the model's names for them."""
    names = {id(weights): name for name, weights in model.named_parameters()}
    return [(names[id(weights)], weights) for group in optimizer.param_groups for weights in group["params"]]


def optimizer_state(optimizer: Optimizer, model: LanguageModel) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that the optimizer remembers: tensors named `<parameter>.<quantity>`, and numbers that fit into JSON.

    The tensors are the optimizer's own, not copies: save them before the next step.
    """
    tensors = {
        f"{name}.{quantity}": value.detach().contiguous()
        for name, weights in _named_parameters(optimizer, model)
        for quantity, value in optimizer.state.get(weights, {}).items()
        if isinstance(value, Tensor)
    }
    return tensors, {"optimizer": type(optimizer).__name__, "lr": [group["lr"] for group in optimizer.param_groups]}


def restore_optimizer_state(
    optimizer: Optimizer, model: LanguageModel, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """Give a newly built optimizer what `optimizer_state` returned; it then goes on bit by bit the same.

    Raises RunError where the state is another optimizer's, or does not fit the model.
    """
    named = _named_parameters(optimizer, model)
    known = dict(named)
    groups = optimizer.state_dict()["param_groups"]
    if numbers.get("optimizer") != type(optimizer).__name__ or len(numbers.get("lr", ())) != len(groups):
        raise RunError(
            f"The saved state is one of {numbers.get('optimizer')}",
            f"one of {type(optimizer).__name__}, as the settings say",
            "continue with the optimizer and the model that the run began with",
        )
    values: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, _, quantity = key.rpartition(".")
        if name not in known or value.shape not in (known[name].shape, ()):
            expected = f"shape {tuple(known[name].shape)}" if name in known else "parameters of this model"
            raise RunError(
                f"The saved optimizer state {key} has shape {tuple(value.shape)}",
                expected,
                "continue with the model that the run began with",
            )
        values.setdefault(name, {})[quantity] = value.clone()
    for group, lr in zip(groups, numbers["lr"], strict=True):
        group["lr"] = lr
    state = {index: values[name] for index, (name, _) in enumerate(named) if name in values}
    optimizer.load_state_dict({"state": state, "param_groups": groups})
