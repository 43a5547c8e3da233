"""The one training loop. It prints nothing: it yields what happens, and commits to the run's folder.

    while the budget lasts:
        update on the next batch
        at its moments: evaluate on a fixed slice of held-out text, commit a checkpoint, sample

Moments are set in steps (`--eval-every 100`) or, by default, fall on equal shares of the budget.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from glassloom.data.corpus import Corpus
from glassloom.errors import GlassloomError, InputError, TrainingError, WorkerError
from glassloom.generation import DecodingSettings, generate
from glassloom.loss import perplexity
from glassloom.runs import Run
from glassloom.training.evaluation import WARM_BRIEF, evaluate_split
from glassloom.training.events import Began, Evaluated, Event, Finished, Sampled, Saved, Stepped
from glassloom.training.foretell import MOST_EVALUATIONS
from glassloom.training.machine import autocast, is_out_of_memory
from glassloom.training.sharding import commit_shards, scored
from glassloom.training.spent import Remainder, spent_on
from glassloom.training.state import TrainingState, not_finite
from glassloom.training.workers import is_lost, lost

SAMPLES, LOGGED = 4, 500
"""How often over the budget, where no number of steps is set."""
MOST_PATIENCE, LEAST_PATIENCE, PATIENCE_SHARE = 100, 5, 0.2
"""Steps in a row that the smoothed loss may be far above uniform: a fifth of all steps, but 5 at least and 100 at most.
The loss is smoothed over a fifth of that, so that a single leap does not stop a short run either."""


def training(
    run: Run, corpus: Corpus, state: TrainingState, facts: dict[str, object], stop: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """Train until the budget is used, patience ends, `stop()` says so, or the loss is lost.

    Raises:
        TrainingError: a quantity was not finite, or the loss stayed far above uniform; `Finished` is yielded before.
    """
    settings, progress = run.config.train, state.progress
    name, amount = settings.budget()
    evaluations = settings.evaluations or MOST_EVALUATIONS
    yield Began(progress.step, progress.step > 0, facts)
    remainder = Remainder(progress)
    try:
        while (used := budget_used(state, name, amount)) < 1 and not out_of_patience(state):
            if state.stopping or (state.workers.alone and stop()):
                remainder.settle()
                yield from save(run, state)
                yield Finished(
                    "interrupted", "stopped from outside", progress.step, progress.seconds, progress.tokens,
                    progress.beside,
                )  # fmt: skip
                return
            state.look = measured_here(state)  # the first update, and the one after each evaluation
            yield (stepped := one_step(state, used, name, amount, stop))
            if state.looked is not None:
                run.log_layers({"step": stepped.step, "lr": stepped.lr, "parameters": state.looked})
            note_divergence(state, stepped)
            log_step(run, state, stepped, used)
            due = Moments(progress.step, used, stepped.progress)
            last = stepped.progress >= 1
            if last or due.now(settings.eval_every, evaluations):
                yield from evaluate(run, corpus, state, stepped)
            last = last or out_of_patience(state)
            if not state.workers.shard and (last or due.now(settings.sample_every, SAMPLES)):
                yield sample(run, corpus, state)
            remainder.settle()
            if last or due.now(settings.save_every or settings.eval_every, evaluations) or is_best(state):
                yield from save(run, state)
    except TrainingError as error:
        status = "failed" if is_out_of_memory(error.__cause__) else "diverged"
        named = TrainingError(error.what, error.expected, f"{error.fix}; {way_back(run, state.model.vocabulary)}")
        yield ended(run, state, status, str(named))
        raise named from error
    remainder.settle()
    used_up = budget_used(state, name, amount) >= 1
    yield ended(run, state, "finished", "the budget is used" if used_up else "validation loss no longer fell")


def ended(run: Run, state: TrainingState, status: str, reason: str) -> Finished:
    """Write down how training ended, and say it."""
    progress = state.progress
    end = Finished(status, reason, progress.step, progress.seconds, progress.tokens, progress.beside)
    run.write_result(vars(end))
    return end


def out_of_patience(state: TrainingState) -> bool:
    """Whether the validation loss has not fallen for as many evaluations as the settings allow."""
    patience = state.config.train.patience
    return patience is not None and state.progress.evaluations_without_gain >= patience


def budget_used(state: TrainingState, name: str, amount: float) -> float:
    """The share of the budget that is used, 0 to 1."""
    progress = state.progress
    used = {
        "epochs": state.batches.epoch,
        "steps": progress.step,
        "train_tokens": progress.tokens,
        "minutes": progress.seconds / 60,
    }[name]
    return used / amount if used < amount * (1 - 1e-12) else 1.0


def one_step(
    state: TrainingState, used: float, name: str, amount: float, stop: Callable[[], bool] = lambda: False
) -> Stepped:
    """The next batch, one update; when memory runs out, the same batch again in twice as many parts.

    Several workers keep the first one's clock, and stop when one of them is asked to. One alone cannot repeat a batch.

    Raises:
        TrainingError: memory ran out with a single row at a time, or with others waiting.
        WorkerError: another worker is gone.
    """
    progress, settings = state.progress, state.config.train
    started = time.perf_counter()
    factor = state.schedule.factor(used, progress.step, state.batches.epoch)
    batch = next(state.batches)
    if settings.random_lengths and settings.sequence_length:
        factor *= batch.inputs.shape[1] / settings.sequence_length
    while True:
        try:
            nats, before, after = state.update(batch, factor)
            break
        except (RuntimeError, MemoryError) as error:
            rows = batch.inputs.shape[0]
            if not is_out_of_memory(error):
                if not state.workers.alone and is_lost(error):
                    raise lost(error) from error
                raise
            if not state.workers.alone:
                raise out_of_memory_among_workers(state.progress.parts) from error
            if progress.parts >= rows:
                raise TrainingError(
                    "Memory ran out with a single row at a time",
                    "a smaller model",
                    "lower --width or --sequence-length",
                ) from error
        state.halve(rows)
    seconds = progress.seconds + time.perf_counter() - started
    progress.seconds, state.stopping = state.workers.agree(seconds, not state.workers.alone and stop())
    share = budget_used(state, name, amount)
    return Stepped(
        progress.step, state.batches.epoch, progress.tokens, progress.seconds, share,
        nats, settings.lr * factor, before, after,
    )  # fmt: skip


def out_of_memory_among_workers(parts: int) -> TrainingError:
    """A worker cannot run its rows again while the others wait for its gradients."""
    return TrainingError(
        f"Memory ran out on a worker whose rows run in {parts} part{'s' if parts > 1 else ''}",
        "rows that fit into its memory",
        f"set --accumulate {2 * parts}, lower --batch-size, or take more workers",
    )


class Moments:
    """Whether something is due after a step."""

    def __init__(self, step: int, before: float, after: float) -> None:
        self.step, self.before, self.after = step, before, after

    def now(self, every: int | None, times: int) -> bool:
        """Every so many steps or, where that is None, so many times over the budget."""
        if every:
            return self.step % every == 0
        return math.floor(self.after * times + 1e-9) > math.floor(self.before * times + 1e-9)


def note_divergence(state: TrainingState, stepped: Stepped) -> None:
    """Stop when the smoothed loss stays far above that of a uniform guess."""
    progress, vocabulary = state.progress, state.model.vocabulary
    patience = patience_above_uniform(stepped)
    old, weight = progress.smooth_nats, LEAST_PATIENCE / patience
    progress.smooth_nats = stepped.train_nats if old is None else (1 - weight) * old + weight * stepped.train_nats
    far = is_far_above_uniform(progress.smooth_nats, vocabulary)
    progress.steps_above_uniform = progress.steps_above_uniform + 1 if far else 0
    if state.config.train.stop_on_divergence and progress.steps_above_uniform > patience:
        raise TrainingError(
            f"Training stopped at step {stepped.step:,}: the training loss is {progress.smooth_nats:.2f} nats a token, "
            f"far above the {math.log(vocabulary):.2f} of a uniform guess",
            "a falling loss",
            "lower --lr or set --clip-norm 1, or go on all the same with --no-stop-on-divergence",
        )


def patience_above_uniform(stepped: Stepped) -> int:
    """How many steps in a row the loss may be far above uniform, by how many there will be at this pace."""
    expected = stepped.step / stepped.progress if stepped.progress else math.inf
    return int(max(LEAST_PATIENCE, min(MOST_PATIENCE, PATIENCE_SHARE * expected)))


def is_far_above_uniform(nats: float, vocabulary: int) -> bool:
    """Whether a loss is one that no sound training has: half as much again as a uniform guess's, or a nat more."""
    uniform = math.log(vocabulary)
    return not nats <= uniform + max(1.0, uniform / 2)


def has_lost(progress: Mapping[str, Any], vocabulary: int) -> bool:
    """Whether the loss was far above uniform when a checkpoint was taken."""
    valid_nats = progress["valid_nats"]
    return bool(progress["steps_above_uniform"]) or (
        valid_nats is not None and is_far_above_uniform(valid_nats, vocabulary)
    )


def last_good(run: Run, vocabulary: int) -> int | None:
    """The step of the newest whole checkpoint whose loss was not far above uniform; None where there is none."""
    whole = (found for found in run.checkpoints() if not found.fault())
    return next((found.step for found in whole if not has_lost(found.progress(), vocabulary)), None)


def way_back(run: Run, vocabulary: int) -> str:
    """Which checkpoint there is to go back to, as a clause."""
    step = last_good(run, vocabulary)
    if step is None:
        return "no checkpoint is a good one"
    return f"the last good checkpoint is that of step {step:,}{', the untrained model' if step == 0 else ''}"


def log_step(run: Run, state: TrainingState, stepped: Stepped, used_before: float) -> None:
    """Add the loss to the running means; write a line to the metrics at the first step and some 500 times more."""
    progress, sums, past = state.progress, state.progress.sums, state.config.train.smoothing
    before = stepped.train_nats if progress.smoothed_nats is None else progress.smoothed_nats
    progress.smoothed_nats = past * before + (1 - past) * stepped.train_nats
    tokens = stepped.tokens - sums.get("seen", [0.0, 0.0])[1]
    for name in ("log", "evaluation"):
        nats, count = sums.get(name, [0.0, 0.0])
        sums[name] = [nats + stepped.train_nats * tokens, count + tokens]
    sums["seen"] = [0.0, stepped.tokens]
    if stepped.step == 1 or Moments(stepped.step, used_before, stepped.progress).now(None, LOGGED):
        means = {"train_nats": mean_of(state, "log"), "smoothed_nats": progress.smoothed_nats}
        run.log({"event": "train", **vars(stepped), **means, "batch_nats": stepped.train_nats})


def mean_of(state: TrainingState, name: str) -> float | None:
    """The mean training loss since this was last asked for under that name."""
    nats, count = state.progress.sums.pop(name, [0.0, 0.0])
    return nats / count if count else None


def evaluate_slice(run: Run, corpus: Corpus, state: TrainingState) -> dict[str, Any]:
    """The validation loss during training: a fixed slice under the protocol that the settings name."""
    settings = run.config.train
    found = evaluate_split(
        state.model,
        corpus,
        "valid",
        protocol=settings.eval_protocol,
        tokens=settings.eval_tokens,
        batch_size=settings.batch_size,
        sequence_length=settings.sequence_length or 1,
        warm=WARM_BRIEF,
        autocast=autocast(settings),
    )
    nats = found.figures.nats_per_token
    return {"nats": nats, "figures": found.figures.as_dict(), "protocol": found.protocol}


def evaluate(run: Run, corpus: Corpus, state: TrainingState, stepped: Stepped) -> Iterator[Event]:
    """Score the slice, remember the best, let a plateau schedule know, and log. Of workers, the first one scores."""
    progress = state.progress
    with spent_on(progress, "evaluation"), state.averaged(), scored(state.model, state.workers):
        found = state.workers.measured(lambda: evaluate_slice(run, corpus, state))
    nats = found["nats"]
    if not math.isfinite(nats):
        raise not_finite("the validation loss", progress.step)
    best = progress.best_nats is None or nats < progress.best_nats
    progress.valid_nats = nats
    progress.evaluations_without_gain = 0 if best else progress.evaluations_without_gain + 1
    if best:
        progress.best_nats, progress.best_step = nats, progress.step
    state.schedule.observe(nats)
    event = Evaluated(
        progress.step, stepped.epoch, progress.tokens, progress.seconds,
        mean_of(state, "evaluation"), nats, found["figures"], best,
    )  # fmt: skip
    record = {name: value for name, value in vars(event).items() if name not in ("valid", "passed")}
    shown = perplexity(nats)
    record |= {"valid_perplexity": shown if math.isfinite(shown) else None, "protocol": found["protocol"]}
    record |= {"smoothed_nats": progress.smoothed_nats, "beside": progress.beside}
    run.log({"event": "evaluation", **record})
    yield event


def is_best(state: TrainingState) -> bool:
    """Whether this very step has the lowest validation loss so far."""
    return state.progress.best_step == state.progress.step


def save(run: Run, state: TrainingState) -> Iterator[Event]:
    """Commit a checkpoint; where the loss is lost, the last good one stays beside it. Of workers, the first commits."""
    progress = state.progress

    def kept() -> int | None:
        vocabulary = state.model.vocabulary
        return last_good(run, vocabulary) if has_lost(numbers, vocabulary) else None

    with spent_on(progress, "checkpoints"):
        tensors, numbers = state.saved()
        if numbers["valid_nats"] is not None and not measured_here(state):
            numbers["valid_nats"] = None
        if state.workers.shard:
            commit_shards(run.path if state.workers.is_first else None, state, numbers, tensors)
            state.workers.from_first(lambda: run.prune(numbers, kept()))
        else:
            state.workers.from_first(
                lambda: run.commit(progress.step, state.weights(), tensors, numbers, kept()) and None
            )
    yield Saved(progress.step)


def measured_here(state: TrainingState) -> bool:
    """Whether the validation loss was measured at this very step (an evaluation empties its running sum)."""
    return "evaluation" not in state.progress.sums


def sample(run: Run, corpus: Corpus, state: TrainingState) -> Event:
    """Continue the fixed prompt, with the same seed each time, so that only the model differs.

    Raises:
        TrainingError: a probability is not finite.
    """
    settings = run.config.train
    prompt = settings.sample_prompt if settings.sample_prompt is not None else default_prompt(corpus)
    decoding = DecodingSettings(
        length=settings.sample_length,
        greedy=settings.sample_temperature == 0,
        temperature=settings.sample_temperature or 1.0,
        seed=settings.seed,
    )

    def write() -> str:
        return generate(state.model, corpus.tokenizer, prompt, decoding, skip_unknown=True)[0].text

    try:
        with spent_on(state.progress, "samples"), state.averaged():
            text = state.workers.from_first(write)
    except (InputError, WorkerError):
        raise
    except GlassloomError as error:
        raise not_finite("what the model samples from", state.progress.step) from error
    run.log_sample({"step": state.progress.step, "prompt": prompt, "text": text})
    return Sampled(state.progress.step, prompt, text)


def default_prompt(corpus: Corpus) -> str:
    """The first words of the held-out text, so that a sample can be read beside its true continuation.

    Nothing where sequences have a .start of their own, which is given.
    """
    if ".start" in corpus.tokenizer.specials:
        return ""
    starts = corpus.valid.starts
    end = 60 if starts is None or len(starts) < 2 else min(60, int(starts[1]) - 1)
    words = corpus.text("valid", 0, end).split(" ")
    return " ".join(words[:6])[:60]
