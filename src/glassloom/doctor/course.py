"""What the losses of a run's history tell: where they began and ended, against what anybody reaches without learning.

Every check takes a `History` and returns a finding or None. Thresholds are beside what they are thresholds of; they
were set so that ordinary short runs of all architectures on texts and formal languages give notes at most.
"""

import math

import numpy as np

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.recorded import Floats, History, fall
from glassloom.doctor.run_names import run_finding
from glassloom.training.loop import is_far_above_uniform

SHORT = 200
"""Updates: of fewer it cannot be said where a training would have led."""
COUNTED = 20
"""Tokens for each of the vocabulary: of fewer, counts say nothing yet, and a model need not be better than they."""
FEW = 20
"""Lines of the metrics: of fewer no course can be read."""


def lost(history: History) -> Finding | None:
    """`non-finite` or `loss-above-uniform`, fatal: training was stopped by the loop, or ended above ln V."""
    uniform, rates = history.uniform, history.updates["lr"]
    evidence: Evidence = {"steps": history.steps, "uniform_nats": uniform}
    if len(rates):
        norms = history.updates["norm_before"]
        evidence |= {"last_nats": history.last, "highest_rate": float(rates.max())}
        evidence |= {"largest_gradient_norm": float(norms.max()), "median_gradient_norm": float(median(norms))}
    if history.status == "diverged":
        reason = str(history.result.get("reason", ""))
        evidence["reason"] = reason
        if "NaN" in reason:
            return run_finding(
                "non-finite", evidence, "The run's own words: " + reason,
                "Lower --lr, set --clip-norm 1, or use --precision float32.",
            )  # fmt: skip
        return run_finding("loss-above-uniform", evidence, "The run's own words: " + reason)
    if not len(history.losses) or uniform == 0:
        return None
    ends = history.fall(0.8, 1)
    far = len(history.losses) >= 5 and is_far_above_uniform(min(ends.level, history.last), history.vocabulary)
    if far or (history.steps >= SHORT and ends.level > 1.02 * uniform + 3 * ends.error):
        return run_finding(
            "loss-above-uniform",
            evidence,
            f"It ended at {ends.level:.3f} nats a token; a uniform guess costs {uniform:.3f}.",
        )
    return None


def out_of_memory(history: History) -> Finding | None:
    """`out-of-memory`: the loop gave up with a single row at a time."""
    if history.status != "failed":
        return None
    return run_finding("out-of-memory", {"steps": history.steps, "reason": str(history.result.get("reason", ""))})


def never_moved(history: History) -> Finding | None:
    """`loss-never-moved`: less than a twentieth of ln V was gained, and the loss is still near where guesses are."""
    losses, uniform = history.losses, history.uniform
    if len(losses) < FEW or uniform == 0 or has_nothing_to_learn(history):
        return None
    begins, ends = float(losses[: max(1, len(losses) // 20)].mean()), history.last
    moved, error = begins - ends, history.fall(0, 1).error
    near = min(0.9 * uniform, history.baselines.get("unigram", math.inf))
    if abs(moved) + 2 * error >= 0.05 * uniform or ends < near:
        return None
    return run_finding(
        "loss-never-moved",
        {"first_nats": begins, "last_nats": ends, "moved_nats": moved, "uniform_nats": uniform,
         "steps": history.steps, "highest_rate": float(history.updates["lr"].max())},
        f"It was {begins:.3f} nats a token at first and {ends:.3f} after {history.steps:,} steps.",
    )  # fmt: skip


def has_nothing_to_learn(history: History) -> bool:
    """Whether the text itself is near noise: its symbols are about equally frequent, and so are its pairs."""
    known = [value for name, value in history.baselines.items() if name in ("unigram", "bigram")]
    return bool(known) and min(known) > 0.95 * history.uniform


def rose_again(history: History) -> Finding | None:
    """`loss-rose-again`: the last tenth lies well above the lowest tenth, and the validation loss agrees."""
    losses = history.losses
    if len(losses) < FEW:
        return None
    tenth = max(2, len(losses) // 10)
    means = stretches(losses * history.weights, tenth) / np.maximum(stretches(history.weights, tenth), 1e-12)
    low, place = float(means.min()), int(means.argmin())
    ends = history.last
    rise, error = ends - low, fall(losses[place:], history.weights[place:]).error
    if rise <= max(0.3, 0.15 * low) or rise <= 4 * error:
        return None
    valid_rise = history.last_valid - history.best_valid
    if len(history.evaluations["step"]) > 1 and valid_rise < 0.3 * rise:
        return None
    lowest = int(history.updates["step"][place + tenth // 2])
    return run_finding(
        "loss-rose-again",
        {"lowest_nats": low, "lowest_step": lowest, "last_nats": ends, "rose_nats": rise,
         "valid_rose_nats": valid_rise if math.isfinite(valid_rise) else 0.0,
         "highest_rate": float(history.updates["lr"].max())},
        f"Around step {lowest:,} it was {low:.3f} nats a token, at the end {ends:.3f}.",
    )  # fmt: skip


def stretches(losses: Floats, width: int) -> Floats:
    """The mean of every stretch of so many lines."""
    sums = losses.cumsum()
    found: Floats = (sums[width - 1 :] - np.concatenate([[0.0], sums[:-width]])) / width
    return found


def worse_than_counting(history: History) -> Finding | None:
    """`worse-than-unigram` where the loss no longer falls; else `worse-than-bigram`, a note."""
    known, best = history.baselines, history.best_valid
    seen = float(history.weights.sum())
    if history.steps < SHORT or seen < COUNTED * history.vocabulary or not math.isfinite(best):
        return None
    if has_nothing_to_learn(history):
        return None
    evidence: Evidence = {"best_valid_nats": best, "train_nats": history.last, "steps": history.steps}
    unigram, bigram = known.get("unigram", math.inf), known.get("bigram", math.inf)
    if best > 1.01 * unigram and not (history.fall(0.6, 1).is_steep and history.last > unigram):
        return run_finding(
            "worse-than-unigram",
            {**evidence, "unigram_nats": unigram},
            f"The best validation loss is {best:.3f} nats a token, that of the unigram {unigram:.3f}.",
        )
    if best > 1.01 * bigram:
        return run_finding(
            "worse-than-bigram",
            {**evidence, "bigram_nats": bigram},
            f"The best validation loss is {best:.3f} nats a token, that of the bigram {bigram:.3f}.",
        )
    return None


def memorising(history: History) -> Finding | None:
    """`memorising`: after two passes or more, train is below three quarters of valid; serious where valid suffered.

    Not where the run was told to learn by heart (`--split all`).
    """
    train, valid, best = history.last, history.last_valid, history.best_valid
    if history.memorises or history.epochs < 2 or not math.isfinite(valid) or train >= 0.75 * valid:
        return None
    rose = valid - best
    suffered = rose >= max(0.1, 0.05 * best) or best > history.baselines.get("bigram", math.inf)
    best_step = int(history.evaluations["step"][int(history.evaluations["valid_nats"].argmin())])
    return run_finding(
        "memorising",
        {"train_nats": train, "valid_nats": valid, "best_valid_nats": best, "best_step": best_step,
         "valid_rose_nats": rose, "epochs": history.epochs},
        f"After {history.epochs:.1f} passes train is at {train:.3f} nats a token and valid at {valid:.3f}; "
        f"valid was lowest at step {best_step:,}, with {best:.3f}.",
        severity="serious" if suffered else "note",
    )  # fmt: skip


def valid_far_above_train(history: History) -> Finding | None:
    """`valid-far-above-train`, a note: within one and a half passes, where nothing can have been learned by heart."""
    train, valid = history.last, history.last_valid
    if history.memorises or history.epochs >= 1.5 or history.steps < SHORT or not math.isfinite(valid):
        return None
    if valid - train <= max(0.3, 0.25 * train):
        return None
    return run_finding(
        "valid-far-above-train",
        {"train_nats": train, "valid_nats": valid, "gap_nats": valid - train, "epochs": history.epochs,
         "batching": str(history.run.config.train.batching)},
        f"After {history.epochs:.2f} passes train is at {train:.3f} nats a token and valid at {valid:.3f}.",
    )  # fmt: skip


def still_falling(history: History) -> Finding | None:
    """`still-falling`, a note: over the last three tenths the loss fell by more than two hundredths, beyond chance."""
    if len(history.losses) < FEW:
        return None
    ends = history.fall(0.7, 1)
    best_is_last = not history.evaluations["step"].size or history.last_valid <= history.best_valid
    if not (ends.is_steep and ends.share > 0.02 and best_is_last):
        return None
    return run_finding(
        "still-falling",
        {"fell_nats": ends.nats, "error_nats": ends.error, "last_nats": ends.level, "steps": history.steps},
        f"Between the seventh and the last tenths it fell by {ends.nats:.3f} nats a token, to {ends.level:.3f}.",
    )


def median(values: Floats) -> float:
    """The middle value."""
    return float(np.median(values))
