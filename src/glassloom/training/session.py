"""From a text and some settings to a trained run: new, resumed, or begun from another run's weights."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassloom.config import Config
from glassloom.data.baselines import BaselineJob, passed
from glassloom.data.corpus import Corpus
from glassloom.kernels import native
from glassloom.runs import Run, create_run
from glassloom.training.compiling import compile_where_it_pays
from glassloom.training.evaluation import evaluate_split
from glassloom.training.event_files import check_writer, event_files
from glassloom.training.events import Evaluated, Event, Finished
from glassloom.training.foretell import estimated_seconds, evaluations
from glassloom.training.loop import training
from glassloom.training.machine import autocast, environment
from glassloom.training.prepared import prepare
from glassloom.training.state import TrainingState


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended: the run, and the best checkpoint's figures under the fair protocol."""

    run: Run
    status: str
    reason: str
    steps: int
    seconds: float
    tokens_per_second: float
    beside: dict[str, float]
    """Seconds beside those of the steps, by what for; see `glassloom.training.spent`."""
    best: dict[str, Any]
    """Step, protocol, tokens, nats_per_token, perplexity, bits_per_character, bits_per_byte."""
    baselines: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "run": str(self.run.path),
        }


def ignore(event: Event) -> None:
    """Nobody watches."""


def never() -> bool:
    """Nobody stops it."""
    return False


def train(
    source: Any,
    given: Mapping[str, Any],
    *,
    root: str | Path = "runs",
    name: str | None = None,
    resume: bool = False,
    replace: bool = False,
    start_from: str | Path | None = None,
    fast: bool = False,
    command: str = "",
    on_event: Callable[[Event], None] = ignore,
    stop: Callable[[], bool] = never,
    with_baselines: bool = True,
) -> TrainingResult:
    """Train on a text and return the run.

    `source` is what `load_corpus` takes, or a Corpus. `given` holds settings by name, those that differ from their
    defaults. `resume` goes on with the run of that name, or starts it where there is none. `fast` puts a small
    model and few updates beneath what is given (`glassloom.training.suited`).

    Raises:
        InputError: the text or a setting cannot be used, the name is taken, the run is in use.
        StorageError: the disk is full or cannot be written; the last checkpoint stays.
        TrainingError: the loss became NaN or infinite, or stayed far above uniform; the last checkpoint stays.
    """
    root = Path(root)
    prepared = prepare(
        source, given, root=root, name=name, resume=resume, replace=replace, start_from=start_from, fast=fast,
    )  # fmt: skip
    config, corpus = prepared.config, prepared.corpus
    if config.train.tensorboard:
        check_writer()
    with BaselineJob.start(corpus) if with_baselines else nullcontext() as job:
        if prepared.run is not None:
            return go_on(prepared.run, config, corpus, job, on_event, stop)
        state = TrainingState(config, corpus)
        if prepared.origin is not None:
            state.start_from(prepared.origin.best().weights(), str(prepared.origin.path))
        compiled = compile_where_it_pays(state)
        config = config.with_train(evaluations=evaluations(state, corpus), compile=compiled)
        tensors, numbers = state.saved()
        run = create_run(
            root, prepared.name, config=config, tokenizer=corpus.tokenizer, corpus=corpus.describe(),
            environment=environment(command), weights=state.weights(), state=tensors, progress=numbers, replace=replace,
        )  # fmt: skip
        with run.writing():
            return carry_out(run, corpus, state, job, on_event, stop)


def go_on(
    run: Run,
    config: Config,
    corpus: Corpus,
    job: BaselineJob | None,
    on_event: Callable[[Event], None],
    stop: Callable[[], bool],
) -> TrainingResult:
    """Continue a run from its newest whole checkpoint; one that is finished is only looked up."""
    with run.writing():
        result = run.result()
        was_finished = result is not None and result["status"] == "finished"
        if result and was_finished and config == run.config:
            return summary(run, corpus, job, result, stop)
        checkpoint = run.newest()
        checkpoint.check_fits(config.model, corpus.tokenizer.size)
        state = TrainingState(config, corpus)
        state.restore(checkpoint)
        compile_where_it_pays(state, goes_on=True)
        if was_finished:  # more was asked for, so patience begins anew
            state.progress.evaluations_without_gain = 0
        run.forget_after(checkpoint.step)
        run.write_config(config)
        run.write_result(None)
        return carry_out(run, corpus, state, job, on_event, stop)


def carry_out(
    run: Run,
    corpus: Corpus,
    state: TrainingState,
    job: BaselineJob | None,
    on_event: Callable[[Event], None],
    stop: Callable[[], bool],
) -> TrainingResult:
    """Run the loop, tell every event on, and sum up."""
    end: Finished | None = None
    with event_files(run) as write_events:
        for event in training(run, corpus, state, facts(run, corpus, state), stop):
            if isinstance(event, Evaluated):
                event = dataclasses.replace(event, passed=passed(event.valid_nats, job.ready() if job else {}))
            if isinstance(event, Finished):
                end = event
            write_events(event)
            on_event(event)
    assert end is not None
    if end.status == "interrupted":
        return TrainingResult(run, end.status, end.reason, end.step, end.seconds, rate(vars(end)), end.beside, {}, {})
    return summary(run, corpus, job, vars(end), stop)


def summary(
    run: Run, corpus: Corpus, job: BaselineJob | None, result: Mapping[str, Any], stop: Callable[[], bool]
) -> TrainingResult:
    """The best checkpoint on the whole held-out text, beside the baselines; kept in the run folder."""
    if "best" not in result or (
        "spelling_nats" not in result["best"] and corpus.valid.spelling and corpus.valid.spelling.tokens
    ):  # an older version did not charge the spelling of unknown words
        started = time.perf_counter()
        best = run.best()
        model = run.model(best).to(run.config.train.device)
        found = evaluate_split(model, corpus, "valid", autocast=autocast(run.config.train))
        beside = {**result.get("beside", {}), "scoring": time.perf_counter() - started}
        result = {**result, "beside": beside, "best": {"step": best.step, **found.as_dict()}}
        run.write_result(result)
    while job and job.is_running and not stop():
        job.wait(timeout=0.2)
    baselines = {name: baseline.as_dict() for name, baseline in (job.ready() if job else {}).items()}
    if baselines:
        run.write_corpus({**run.corpus, "baselines": baselines})
    return TrainingResult(
        run,
        result["status"],
        result["reason"],
        result["step"],
        result["seconds"],
        rate(result),
        result.get("beside", {}),
        result["best"],
        baselines,
    )


def rate(result: Mapping[str, Any]) -> float:
    """Training tokens a second, from the first step to the last."""
    return float(result["tokens"]) / result["seconds"] if result["seconds"] else 0.0


def facts(run: Run, corpus: Corpus, state: TrainingState) -> dict[str, Any]:
    """What is said before the first step."""
    train = run.config.train
    name, amount = train.budget()
    return {
        "run": str(run.path),
        "model": run.config.architecture,
        "parameters": sum(parameter.numel() for parameter in state.model.parameters()),
        "vocabulary": corpus.tokenizer.size,
        "tokenizer": corpus.tokenizer.name,
        "corpus": corpus.name,
        "sha256": corpus.sha256,
        "sizes": corpus.describe()["sizes"],
        "split_rule": corpus.split_rule,
        "device": train.device,
        "precision": train.precision,
        "threads": train.threads,
        "kernels": native.chosen(),
        "compiled": state.hidden != state.model.hidden,
        "seed": train.seed,
        "batching": train.batching,
        "budget": {"name": name, "amount": amount},
        "step": state.progress.step,
        "estimated_seconds": estimated_seconds(state),
    }
