"""Does the same input give the same output? Randomness in eval mode, and what is kept from call to call."""

import torch

from glassloom.doctor.finding import Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened, told
from glassloom.doctor.passes import TOLERANCE, Passer


def repeats(opened: Opened) -> tuple[list[Finding], bool]:
    """Findings on repeated passes, and whether a model must be built anew for each pass to be compared."""
    passer = opened.passer
    first, other = opened.tokens(1), opened.tokens(3)
    reader = passer.reader()
    one = reader(first)
    limit = TOLERANCE.get(one.dtype, 1e-4) * max(one.abs().max().item(), 1e-30)
    try:
        again = reader(first)
        random = gap(reader(first, seed=5), reader(first, seed=6))
        kept = depends_on_the_call_before(passer, first, other)
        smaller = passer.reader()
        smaller(first)
        if not opened.square_only and opened.batch > 1:
            smaller(first[:-1])
    except Exception as error:
        if not alone_works(passer, first[:-1] if opened.batch > 1 else first):
            return [], False
        evidence = {"calls_that_worked": 1, "error_of_the_second": told(error)}
        words = "The first call worked, and a call after it failed on what the first had left behind."
        return [finding("state-leaks-across-calls", evidence, words)], True
    same_seed = gap(one, again)
    findings = []
    if kept > limit:
        evidence = {"change_by_the_call_before": kept, "largest_logit": one.abs().max().item()}
        words = (
            f"The same tokens with the same random seed gave logits up to {kept:.3g} apart, depending on which tokens "
            "had been passed before."
        )
        findings.append(finding("state-leaks-across-calls", evidence, words))
    elif same_seed > limit:
        evidence = {"change_of_the_second_call": same_seed, "largest_logit": one.abs().max().item()}
        findings.append(finding("state-leaks-across-calls", evidence, f"The logits moved by up to {same_seed:.3g}."))
    if random > limit and not (kept > limit or same_seed > limit):
        evidence = {"change_between_passes": random, "largest_logit": one.abs().max().item()}
        words = f"In eval mode the logits of the same tokens moved by up to {random:.3g} when only the seed changed."
        findings.append(finding("eval-randomness", evidence, words))
    return findings, kept > limit or same_seed > limit


def depends_on_the_call_before(passer: Passer, tokens: torch.Tensor, other: torch.Tensor) -> float:
    """How far the logits of `tokens` differ after a call with themselves and after one with others."""
    after = []
    for before in (tokens, other):
        reader = passer.reader()
        reader(before)
        after.append(reader(tokens))
    return gap(*after)


def alone_works(passer: Passer, tokens: torch.Tensor) -> bool:
    """Whether a newly built model takes these tokens."""
    try:
        passer.reader()(tokens)
    except Exception:
        return False
    return True


def gap(left: torch.Tensor, right: torch.Tensor) -> float:
    """The largest difference; not-a-number in the same place is none."""
    found = torch.nan_to_num(left.double(), 0.0, 0.0, 0.0) - torch.nan_to_num(right.double(), 0.0, 0.0, 0.0)
    return found.abs().max().item()
