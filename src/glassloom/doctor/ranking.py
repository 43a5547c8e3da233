"""Which finding goes first, and which ones are only what another one causes."""

from glassloom.doctor.finding import Finding

ORDER = (
    # The model cannot be read rightly before these are mended: everything after them is measured through them.
    "vocabulary-mismatch",
    "time-batch-swapped",
    # A growing sensitivity ends in infinity, or drowns what is near: it is the cause of both.
    "exploding-gradient",
    "non-finite",
    # What the model is told and asked: with these, even a perfect model learns the wrong thing.
    "softmax-before-loss",
    "loss-misreads-axes",
    "batch-leak",
    "future-leak",
    "targets-not-shifted",
    "targets-misaligned",
    # What the model does not see.
    "input-ignored",
    "no-past",
    "no-position",
    # What the loop does with the gradient.
    "state-not-detached",
    "gradients-not-zeroed",
    "optimizer-misses-parameters",
    "layers-share-weights",
    "vanishing-gradient",
    "saturated-attention",
    "unreached-parameters",
    "loss-ignores-positions",
    "padding-counted",
    "loss-not-a-mean",
    "state-leaks-across-calls",
    "state-reset-each-window",
    "eval-randomness",
    "bad-initial-loss",
    "no-progress",
    "learning-rate-too-high",
    "learning-rate-too-low",
    "generation-mismatch",
)
"""The likeliest cause first."""

TRIALS = ("no-progress", "learning-rate-too-high", "learning-rate-too-low")
CAUSES: dict[str, tuple[str, ...]] = {
    # Trials say that it does not learn; what is measured exactly says why.
    # Logits of another size, or in another order, are scored against the wrong targets.
    "vocabulary-mismatch": ("bad-initial-loss", "loss-misreads-axes", "generation-mismatch", "non-finite", *TRIALS),
    "time-batch-swapped": (
        "batch-leak",
        "future-leak",
        "no-past",
        "input-ignored",
        "no-position",
        "loss-misreads-axes",
        "loss-ignores-positions",
        "generation-mismatch",
        *TRIALS,
    ),
    # What grows with distance overflows, and drowns the tokens that are near.
    "exploding-gradient": (
        "non-finite",
        "no-past",
        "input-ignored",
        "no-position",
        "vanishing-gradient",
        "bad-initial-loss",
        "saturated-attention",
        "unreached-parameters",
        *TRIALS,
    ),
    "non-finite": (
        "no-past",
        "input-ignored",
        "no-position",
        "vanishing-gradient",
        "saturated-attention",
        "bad-initial-loss",
        "unreached-parameters",
        "loss-misreads-axes",
        *TRIALS,
    ),
    "softmax-before-loss": ("bad-initial-loss", "vanishing-gradient", *TRIALS),
    "loss-misreads-axes": ("targets-misaligned", "loss-ignores-positions", "loss-not-a-mean", *TRIALS),
    # A recurrent layer that runs along the batch sees no past, and needs no order.
    "batch-leak": ("no-past", "no-position", "vanishing-gradient", "state-leaks-across-calls", "generation-mismatch"),
    "future-leak": ("no-position", "generation-mismatch"),
    "targets-not-shifted": ("targets-misaligned", "loss-ignores-positions", *TRIALS),
    "targets-misaligned": ("loss-ignores-positions", *TRIALS),
    # Where nothing, or no past, comes in, what would have taken it in gets no gradient.
    "input-ignored": (
        "no-past",
        "no-position",
        "unreached-parameters",
        "vanishing-gradient",
        "generation-mismatch",
        *TRIALS,
    ),
    "no-past": ("no-position", "unreached-parameters", "vanishing-gradient", "state-reset-each-window"),
    "no-position": ("unreached-parameters",),
    "state-not-detached": ("gradients-not-zeroed", *TRIALS),
    "gradients-not-zeroed": TRIALS,
    "optimizer-misses-parameters": ("unreached-parameters", *TRIALS),
    "layers-share-weights": (),
    # A bias on distance so strong that each query sees itself alone is a matter of distance, not of choice.
    "vanishing-gradient": ("saturated-attention", "unreached-parameters", *TRIALS),
    "saturated-attention": ("unreached-parameters", *TRIALS),
    "unreached-parameters": TRIALS,
    # A sum of losses makes every step too long.
    "loss-not-a-mean": TRIALS,
    "state-leaks-across-calls": ("eval-randomness", "generation-mismatch", "state-reset-each-window"),
    "eval-randomness": ("generation-mismatch",),
    "bad-initial-loss": TRIALS,
    "no-progress": ("learning-rate-too-high", "learning-rate-too-low"),
}
"""What each finding explains, and therefore stands in for."""

EXACT = "largest_change", "cosine_of_update_and_gradient", "pushed_away_from_target"
"""Evidence by which no-progress is no trial but measured on the step itself: nothing explains that away."""
CUT = "change_by_the_past"
"""Evidence by which vanishing-gradient is a cut: no gradient at all from what moves the prediction."""


def ranked(findings: list[Finding]) -> tuple[Finding, ...]:
    """Each name once, the likeliest cause first, without what another finding explains."""
    first: dict[str, Finding] = {}
    for found in findings:
        first.setdefault(found.name, found)
    exact = "no-progress" in first and any(key in first["no-progress"].evidence for key in EXACT)
    explained = {name for cause in first for name in consequences(cause, first)}
    if exact:
        explained.discard("no-progress")
    kept = [found for name, found in first.items() if name not in explained]
    order: dict[str, float] = {name: place for place, name in enumerate(ORDER)}
    if exact:
        order["no-progress"] = order["gradients-not-zeroed"] - 0.5
    return tuple(sorted(kept, key=lambda found: order.get(found.name, len(ORDER))))


def consequences(cause: str, first: dict[str, Finding]) -> tuple[str, ...]:
    """What one of the findings explains.

    A gradient that is cut where the past still moves the prediction has decayed nowhere: should parameters lie behind
    the cut, they are the fault, and the past's missing gradient is what else the cut does. A state that is detached
    between steps leaves no parameter behind, and stays a matter of the past.
    """
    explained = CAUSES.get(cause, ())
    vanishing = first.get("vanishing-gradient")
    if vanishing is not None and CUT in vanishing.evidence and "unreached-parameters" in first:
        if cause == "vanishing-gradient":
            return tuple(name for name in explained if name != "unreached-parameters")
        if cause == "unreached-parameters":
            return (*explained, "vanishing-gradient")
    return explained
