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
from glassloom.runs.bystander import Bystander
from glassloom.runs.shards import is_sharded
from glassloom.training.compiling import compile_where_it_pays
from glassloom.training.evaluation import evaluate_split
from glassloom.training.event_files import check_writer, event_files
from glassloom.training.events import Evaluated, Event, Finished
from glassloom.training.foretell import estimated_seconds, evaluations
from glassloom.training.loop import training
from glassloom.training.machine import autocast, environment
from glassloom.training.prepared import Prepared, added_by
from glassloom.training.sharding import commit_shards
from glassloom.training.spreading import spread
from glassloom.training.state import TrainingState
from glassloom.training.together import group_id, prepare_together, say_what_changes
from glassloom.training.workers import Workers, joined


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
    shard: bool = False,
) -> TrainingResult:
    """Train on a text and return the run.

    `source` is what `load_corpus` takes, or a Corpus. `given` holds settings by name, those that differ from their
    defaults. `resume` goes on with the run of that name, or starts it where there is none. `fast` puts a small
    model and few updates beneath what is given (`glassloom.training.suited`).

    Where torchrun started this process as one of several, they train together: each calls this with the same arguments,
    and the first one writes; the results of the others have no figures of the best checkpoint. `shard` gives each a
    share of every weight (`glassloom.training.sharding`).

    Raises:
        InputError: the text or a setting cannot be used, the name is taken, the run is in use.
        StorageError: the disk is full or cannot be written; the last checkpoint stays.
        WorkerError: one of several workers is gone; the last checkpoint stays.
        TrainingError: the loss became NaN or infinite, or stayed far above uniform; the last checkpoint stays.
    """
    root = Path(root)
    with joined(shard) as workers:
        prepared = prepare_together(
            workers, source, given, root=root,
            name=name, resume=resume, replace=replace, start_from=start_from, fast=fast,
        )  # fmt: skip
        corpus = prepared.corpus
        if prepared.config.train.tensorboard and workers.is_first:
            check_writer()
        with BaselineJob.start(corpus) if with_baselines and workers.is_first else nullcontext() as job:
            if prepared.run is not None:
                return go_on(prepared.run, prepared.config, corpus, workers, job, on_event, stop)
            run, state = begin(prepared, workers, root, command, replace)
            with run.writing():
                return carry_out(run, corpus, state, job, on_event, stop)


def begin(prepared: Prepared, workers: Workers, root: Path, command: str, replace: bool) -> tuple[Run, TrainingState]:
    """A new run folder with its first checkpoint, and the training that goes on from it."""
    corpus = prepared.corpus
    state = TrainingState(prepared.config, corpus, workers)

    origin = prepared.origin
    if origin is not None:
        workers.all_well(lambda: state.start_from(origin.best().weights(), str(origin.path)))

    def complete() -> dict[str, Any]:
        compiled = compile_where_it_pays(state)
        return {"evaluations": evaluations(state, corpus), "compile": compiled}

    chosen = workers.from_first(complete)
    if not workers.is_first and chosen["compile"] == "on":
        compile_where_it_pays(state, goes_on=True)
    config = prepared.config.with_train(**chosen)
    tensors, numbers = state.saved()

    def create(commit: Callable[[Path], object] | None = None) -> str:
        here = environment(command) | (
            {} if workers.alone else {"workers": {"size": workers.size, "group": group_id()}}
        )
        if owners := added_by(prepared.config, corpus):
            here["added_by"] = owners
        run = create_run(
            root, prepared.name, config=config, tokenizer=corpus.tokenizer, corpus=corpus.describe(),
            environment=here, weights={} if commit else state.weights(), state=tensors, progress=numbers,
            replace=replace, commit=commit,
        )  # fmt: skip
        return str(run.path)

    if not workers.shard:
        path = Path(workers.from_first(create))
    elif workers.is_first:
        path = Path(workers.gather(create(lambda folder: commit_shards(folder, state, numbers, tensors)))[0])
    else:
        commit_shards(None, state, numbers, tensors)
        path = Path(workers.gather("")[0])
    return (Run(path) if workers.is_first else Bystander.of(path, config)), state


def go_on(
    run: Run,
    config: Config,
    corpus: Corpus,
    workers: Workers,
    job: BaselineJob | None,
    on_event: Callable[[Event], None],
    stop: Callable[[], bool],
) -> TrainingResult:
    """Continue a run from its newest whole checkpoint; one that is finished is only looked up."""
    with workers.all_well_within(run.writing):
        found: dict[str, Any] = workers.from_first(lambda: {"result": run.result(), "as_asked": config == run.config})
        result: dict[str, Any] | None = found["result"]
        was_finished = result is not None and result["status"] == "finished"
        if result and was_finished and found["as_asked"]:
            return summary(run, corpus, job, result, stop) if workers.is_first else unscored(run, result)
        step = workers.from_first(lambda: run.newest().step)
        state = workers.all_well(lambda: restored(run, step, config, corpus, workers))
        compile_where_it_pays(state, goes_on=True)
        if was_finished:  # more was asked for, so patience begins anew
            state.progress.evaluations_without_gain = 0
        run.forget_after(step)
        run.write_config(config)
        run.write_result(None)
        return carry_out(run, corpus, state, job, on_event, stop)


def restored(run: Run, step: int, config: Config, corpus: Corpus, workers: Workers) -> TrainingState:
    """The training as it was at a step."""
    checkpoint = next(found for found in run.checkpoints() if found.step == step)
    checkpoint.check_fits(config.model, corpus.tokenizer.size)
    state = TrainingState(config, corpus, workers)
    state.restore(checkpoint)
    say_what_changes(run, int(checkpoint.progress().get("workers", 1)), workers)
    return state


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
    known = facts(run, corpus, state)
    spread(state)
    with event_files(run) if state.workers.is_first else nullcontext(lambda event: None) as write_events:
        for event in training(run, corpus, state, known, stop):
            if isinstance(event, Evaluated):
                event = dataclasses.replace(event, passed=passed(event.valid_nats, job.ready() if job else {}))
            if isinstance(event, Finished):
                end = event
            write_events(event)
            on_event(event)
    assert end is not None
    if end.status == "interrupted" or not state.workers.is_first:
        return unscored(run, vars(end))
    return summary(run, corpus, job, vars(end), stop)


def unscored(run: Run, result: Mapping[str, Any]) -> TrainingResult:
    """How a training ended, without figures of its best checkpoint: it was interrupted, or another worker scores."""
    return TrainingResult(
        run, result["status"], result["reason"], result["step"], result["seconds"], rate(result),
        result.get("beside", {}), {}, {},
    )  # fmt: skip


def summary(
    run: Run, corpus: Corpus, job: BaselineJob | None, result: Mapping[str, Any], stop: Callable[[], bool]
) -> TrainingResult:
    """The best checkpoint on the whole held-out text, beside the baselines; kept in the run folder."""
    if "best" not in result or (
        "spelling_nats" not in result["best"] and corpus.valid.spelling and corpus.valid.spelling.tokens
    ):  # an older version did not charge the spelling of unknown words
        started = time.perf_counter()
        best, train = run.best(), run.config.train
        if (
            is_sharded(best.path) and train.device != "cpu"
        ):  # the device may not hold it whole, the machine's memory may
            train = train.model_copy(update={"device": "cpu", "precision": "float32"})
        model = run.model(best).to(train.device)
        found = evaluate_split(model, corpus, "valid", autocast=autocast(train))
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
        "workers": state.workers.size,
        "kernels": native.chosen(),
        "compiled": state.hidden != state.model.hidden,
        "seed": train.seed,
        "batching": train.batching,
        "budget": {"name": name, "amount": amount},
        "step": state.progress.step,
        "estimated_seconds": estimated_seconds(state),
    }
