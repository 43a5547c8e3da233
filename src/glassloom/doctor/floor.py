"""A loss below what the source of the text itself needs: the exact test for runs on formal languages.

A language gives every string its true probability p, and a model that does not know the held-out strings gives them q.
The mean of q/p over strings drawn from the source is at most 1, and so is that of the product over independent strings.
By Markov's inequality the model's loss lies c nats below the source's own, on all held-out strings together, with a
probability of at most exp(-c): no normal approximation, no sample size. A finding asks for exp(-c) below one in a
million, after multiplying by the number of evaluations that the best one was chosen from.
"""

import math

from glassloom.data.corpus import Corpus
from glassloom.data.drawn import language_of
from glassloom.doctor.finding import Finding
from glassloom.doctor.recorded import History
from glassloom.doctor.run_names import run_finding
from glassloom.errors import InputError
from glassloom.views.language import true_nats

CHANCE = 1e-6
"""An honest run is called sick by this test no more often than this."""
ROUGH = 0.1
"""Where the strings themselves are not at hand, the loss must be below the entropy by so large a share of it."""
FAIR = "fair: every sequence from its start"


def below_floor(history: History) -> Finding | None:
    """`below-entropy-floor`: the best checkpoint's loss on all held-out strings, against the source's own on them."""
    best = history.result.get("best", {})
    entropy = history.facts.get("entropy_nats_per_sequence")
    if entropy is None or history.memorises or best.get("protocol") != FAIR:
        return None
    loss, tokens = float(best["nats_per_token"]), int(best["tokens"])
    strings = int(history.facts["sizes"]["valid"].get("sequences", 0))
    if not strings or not tokens:
        return None
    true = None if history.corpus is None else true_total(history, history.corpus)
    floor = entropy * strings if true is None else true
    evaluations = max(1, len(history.evaluations["step"]))
    below = floor - loss * tokens
    needed = ROUGH * floor if true is None else math.log(evaluations / CHANCE)
    if below <= needed:
        return None
    evidence = {
        "loss_nats_per_token": loss, "floor_nats_per_token": floor / tokens, "below_nats": below, "strings": strings,
        "exact": true is not None,
    }  # fmt: skip
    told = f"It needs {loss * tokens:,.1f} nats for {strings:,} held-out strings, the source itself {floor:,.1f}"
    if true is None:
        return run_finding("below-entropy-floor", evidence, f"{told} (its entropy times their number).")
    odds = math.log10(evaluations) - below / math.log(10)
    evidence["log10_probability_at_most"] = odds
    return run_finding(
        "below-entropy-floor", evidence, f"{told}; an honest model does that with probability 10^{odds:.0f} at most."
    )


def true_total(history: History, corpus: Corpus) -> float | None:
    """Nats that the source itself needs for all held-out strings; None where the language is not at hand."""
    valid = corpus.valid
    try:
        language = language_of(history.facts)
    except InputError:
        return None
    if valid.starts is None:
        return None
    ends = [*valid.starts[1:].tolist(), len(valid.ids)]
    pairs = zip(valid.starts.tolist(), ends, strict=True)
    found = float(true_nats(language, [corpus.text("valid", begin, end) for begin, end in pairs]).sum())
    return found if math.isfinite(found) else None
