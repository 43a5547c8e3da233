"""Findings on parameters: those that no optimiser holds, layers that are one."""

from typing import Any

import torch
from torch import Tensor, nn

from glassloom.doctor.finding import Finding
from glassloom.doctor.guarded import default_dtype
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Passer, call, read
from glassloom.doctor.watching import graph_of


def sharing_findings(opened: Opened) -> list[Finding]:
    """layers-share-weights: a container that holds the same module with parameters, or the same parameter, twice.

    So too where its layers are different objects of one kind that have most of their parameters in common; less than
    half may be meant so (one table of relative positions for all layers).
    """
    model = opened.passer.with_(exact=False).model()
    for place, container in model.named_modules():
        if isinstance(container, (nn.ModuleList, nn.Sequential, nn.ModuleDict)):
            held: list[Any] = list(container._modules.values())
            held = [part for part in held if part is not None and next(part.parameters(), None) is not None]
        elif isinstance(container, (nn.ParameterList, nn.ParameterDict)):
            held = list(container.parameters()) if isinstance(container, nn.ParameterDict) else list(container)
        else:
            continue
        different = len({id(part) for part in held})
        if different < len(held):
            evidence = {"container": place or "the model", "layers": len(held), "different": different}
            words = f"{place or 'The model'} holds {len(held)} layers, of which {different} are different objects."
            return [finding("layers-share-weights", evidence, words)]
        share = shared_by(held)
        if share > 0.5:
            evidence = {"container": place or "the model", "layers": len(held), "share_in_common": share}
            words = f"Two layers of {place or 'the model'} have {share:.0%} of their parameters in common."
            return [finding("layers-share-weights", evidence, words)]
    return []


def shared_by(layers: list[Any]) -> float:
    """The largest share of a layer's numbers that another layer of the same kind has in the same place."""
    largest = 0.0
    modules = [layer for layer in layers if isinstance(layer, nn.Module)]
    for number, one in enumerate(modules):
        own = dict(one.named_parameters())
        total = sum(value.numel() for value in own.values())
        for two in modules[number + 1 :]:
            if type(one) is type(two) and total:
                others = dict(two.named_parameters())
                common = sum(value.numel() for name, value in own.items() if others.get(name) is value)
                largest = max(largest, common / total)
    return largest


def total_of(module: nn.Module, passer: Passer, tokens: Tensor, seed: int) -> Tensor:
    """A number that depends on every logit of a pass: their cross-entropy with random targets."""
    generator = torch.Generator().manual_seed(seed)
    with default_dtype(passer.dtype), torch.enable_grad():
        logits = read(call(module, tokens, passer.layout), len(tokens), tokens.shape[1], passer.layout)
        targets = torch.randint(logits.shape[-1], logits.shape[:2], generator=generator, device="cpu").to(logits.device)
        return -logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).mean()


def leaves_of_loss(opened: Opened, module: nn.Module) -> list[Tensor]:
    """The tensors that the loss depends on and that are still the same in a second pass."""
    passer = opened.passer.with_(exact=False)
    with torch.enable_grad():
        losses = [total_of(module, passer, opened.tokens(81 + n), n) for n in range(2)]
    first, second = (graph_of(loss)[1] for loss in losses)
    ids = {id(leaf) for leaf in second}
    return [leaf for leaf in first if id(leaf) in ids]


def optimizers_in(optimizer: Any) -> list[Any]:
    """What holds parameter groups: the optimiser, several in a list, tuple or dictionary, or one wrapped in another."""
    if hasattr(optimizer, "param_groups"):
        return [optimizer]
    if isinstance(optimizer, dict):
        optimizer = list(optimizer.values())
    if isinstance(optimizer, (list, tuple)):
        return [one for part in optimizer for one in optimizers_in(part)]
    inner = getattr(optimizer, "optimizer", None)
    return optimizers_in(inner) if inner is not None else []


def groups_of(optimizer: Any) -> list[dict[str, Any]]:
    """The parameter groups of an optimiser, of several, or of one wrapped in another."""
    return [group for one in optimizers_in(optimizer) for group in one.param_groups]


def missed_findings(opened: Opened) -> list[Finding]:
    """optimizer-misses-parameters: what the loss depends on, less what the optimiser (or the model) holds."""
    module = opened.passer.with_(exact=False).model().train()
    leaves = leaves_of_loss(opened, module)
    names = {id(value): name for name, value in module.named_parameters()}
    held, whose = set(names), "model.parameters()"
    if opened.subject.build_optimizer is not None:
        groups = groups_of(opened.subject.build_optimizer(module))
        if groups:
            held = {id(value) for group in groups for value in group["params"]}
            whose = "the optimiser"
    missed = [leaf for leaf in leaves if id(leaf) not in held]
    if not missed:
        return []
    called = [names.get(id(leaf), f"an unregistered tensor of {tuple(leaf.shape)}") for leaf in missed]
    total = sum(leaf.numel() for leaf in leaves)
    evidence = {
        "tensors": called[:20],
        "count": len(missed),
        "of": len(leaves),
        "numbers": sum(leaf.numel() for leaf in missed),
        "numbers_of": total,
    }
    words = f"The loss depends on {len(leaves)} tensors; {len(missed)} are not in {whose}: {', '.join(called[:4])}."
    return [finding("optimizer-misses-parameters", evidence, words)]
