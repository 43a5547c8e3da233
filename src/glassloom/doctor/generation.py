"""Does their `generate` follow the model's own arg-max?

The model's logits are multiplied until the softmax of them is one-hot, so that a `generate` that samples is greedy too.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.doctor.finding import Finding
from glassloom.doctor.guarded import default_dtype, sow
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Passer, Reader, logits_in
from glassloom.doctor.scoring import Domain, put_back
from glassloom.doctor.subject import device_of
from glassloom.doctor.watching import forgetting

PROMPTS, LENGTH = (2, 6), 10
"""Short ones too: what is wrong with a state is forgotten over a long prompt."""
SHARPENED, CERTAIN = 1e6, 100.0
"""The logits are so many times larger; one that samples takes another than the best with probability exp(-CERTAIN)."""


def generation_findings(opened: Opened, domain: Domain) -> list[Finding]:
    """generation-mismatch, on shaken models, in which the past matters, and on new ones."""
    generate = opened.subject.generate
    if generate is None or opened.square_only or opened.passer.layout.last_only:
        return []
    wrong, total, gaps = 0, 0, [0.0]
    example: dict[str, int] = {}
    for seed, jitter in ((0, 0.0), (1, 1.0), (2, 1.5), (3, 0.5)):
        passer = opened.passer.with_(jitter=jitter, seed=seed)
        for number, prompt in enumerate(PROMPTS):
            prompt = min(prompt, max(1, opened.long // 2))
            length = max(1, min(LENGTH, opened.long - prompt))
            tokens = opened.tokens(90 + 2 * seed + number, 1, prompt)
            with forgetting([generate]):
                written = repeated(generate, passer, tokens, length, domain)
            if written is None:
                continue
            for place, (chosen, best, gap) in enumerate(followed(passer, tokens, written)):
                total += 1
                if chosen != best and gap > (1e-3 if not passer.exact else CERTAIN / SHARPENED):
                    wrong += 1
                    gaps.append(gap)
                    example = example or {"place": place, "chosen": chosen, "arg_max": best}
    if not wrong:
        return []
    evidence = {"tokens": total, "different": wrong, "largest_gap": max(gaps), **example}
    words = (
        f"Of {total} tokens that it wrote {wrong} were not the model's arg-max, the logits up to {max(gaps):.2g} apart."
    )
    return [finding("generation-mismatch", evidence, words)]


def repeated(generate: Any, passer: Passer, tokens: Tensor, length: int, domain: Domain) -> list[int] | None:
    """The tokens that it writes after the prompt; None where it takes no such prompt.

    None too where it writes differently each time; unless it would not if it kept the model in eval mode, in which it
    was given: then it is greedy, with dropout, and what it wrote is compared.
    """
    differ: list[int] | None = None
    for keep in (False, True):
        found = []
        for seed in (0, 1):
            model = passer.model().eval()
            mode = kept_evaluating(model) if keep else contextlib.nullcontext()
            with sharpened(model, domain), mode, default_dtype(passer.dtype):
                sow(seed)
                found.append(called(generate, model, tokens, length, passer))
        if found[0] is None:
            return None
        if found[0] == found[1]:
            return found[0] if differ is None else differ
        differ = found[0]
    return None


def called(generate: Any, model: nn.Module, tokens: Tensor, length: int, passer: Passer) -> list[int] | None:
    """Call it with the prompt as `batch time`, as one row, or as a list, until one works."""
    device = device_of(model)
    row = tokens[0].to(device)
    prompts: list[Any] = [row[None].clone(), row.clone(), row.tolist()]
    if passer.layout.time_first:
        prompts.insert(0, row[:, None].clone())
    for prompt in prompts:
        try:
            written = numbers(generate(model, prompt, length))
        except Exception:
            continue
        if written is None:
            continue
        asked = row.tolist()
        if len(written) > length and written[: len(asked)] == asked:
            written = written[len(asked) :]
        elif len(written) >= len(asked) + length:
            written = written[len(written) - length :]
        return written[:length]
    return None


def numbers(written: Any) -> list[int] | None:
    """Tokens in whatever it returns, as a list."""
    if isinstance(written, Tensor):
        written = written.flatten().tolist()
    if isinstance(written, tuple):
        return numbers(written[0]) if written else None
    if isinstance(written, list):
        while written and isinstance(written[0], list):
            written = written[0]
        flat = [int(one) for one in written if isinstance(one, int) or (isinstance(one, Tensor) and one.numel() == 1)]
        return flat if len(flat) == len(written) else None
    return None


@contextlib.contextmanager
def sharpened(model: nn.Module, domain: Domain) -> Iterator[None]:
    """While the block runs, the model's logits are a million times larger: to sample from them is to take the best."""
    original = model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        logits = logits_in(output)
        ratios = logits.clamp(min=1e-30).log() if domain == "probabilities" else logits
        sharp = (ratios * SHARPENED).softmax(-1) if domain == "probabilities" else ratios * SHARPENED
        return put_back(output, sharp)

    model.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.forward


@contextlib.contextmanager
def kept_evaluating(model: nn.Module) -> Iterator[None]:
    """While the block runs, nothing puts the model into training mode."""
    model.train = lambda mode=True: model  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        del model.train


def followed(passer: Passer, prompt: Tensor, written: list[int]) -> Iterator[tuple[int, int, float]]:
    """For each written token: itself, the arg-max after all before it, and how far their logits lie apart."""
    before = prompt[0].tolist()
    reader: Reader = passer.with_(rebuild=True).reader()
    for token in written:
        logits = reader(torch.tensor([before]))[0, -1].double()
        spread = (logits.max() - logits.min()).clamp(min=1e-30)
        best = int(logits.argmax())
        if not 0 <= token < len(logits):
            yield token, best, 1.0
        else:
            yield token, best, ((logits[best] - logits[token]) / spread).item()
        before.append(token)
