"""Compare: several models or settings on one text, each given the same budget."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from glassloom.comparison.collect import copies_of, curve_of, row_of, sample_of, sizes_of
from glassloom.comparison.execution import OnEvent, Outcome, Work, execute
from glassloom.comparison.grid import Planned, grid, has_budget, matched
from glassloom.comparison.places import Where, crew_at
from glassloom.comparison.recommendation import recommend
from glassloom.comparison.results import (
    BaselineFigures,
    Comparison,
    CorpusFacts,
    Protocols,
    Reading,
    Row,
)
from glassloom.config import BUDGETS, Config, plain_names
from glassloom.data.baselines import Baseline, BaselineJob, baselines
from glassloom.data.corpus import Corpus
from glassloom.errors import RunError, SettingError
from glassloom.runs import Run, load_run
from glassloom.training.machine import environment
from glassloom.training.resolve import open_corpus, resolve

MINUTES = 1.0
"""The budget of each run where none is given."""
HERE = Where()
UNITS = {"minutes": "minutes of training", "steps": "updates", "train_tokens": "tokens", "epochs": "epochs"}


def compare(
    source: Any,
    models: Sequence[str],
    given: Mapping[str, Any],
    out: str | Path,
    *,
    vary: Sequence[str] | Mapping[str, Sequence[Any]] = (),
    seeds: int = 1,
    match: str | None = None,
    where: Where = HERE,
    replace: bool = False,
    title: str | None = None,
    command: str = "",
    on_event: OnEvent = lambda id, event: None,
    stop: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Train every model, setting and seed on the same text with the same budget, and put them side by side.

    The runs are folders of their own under `out`. Called again with the same arguments it goes on where it was
    stopped, unless `replace` asks to begin anew. `where` says on which machines they are trained.

    Raises:
        InputError: an unknown model or setting, a text that cannot be used, a cluster that does not answer.
        WorkerError: the cluster is gone; what is saved stays.
        StorageError: `out` cannot be written.
    """
    if seeds < 1:
        raise SettingError(f"seeds cannot be {seeds}", "at least 1", "change --seeds")
    where.check()
    given = plain_names(given)
    given = given if has_budget(given) else {**given, "minutes": MINUTES}
    if isinstance(vary, Mapping):
        vary = [f"{name}={','.join(str(value) for value in values)}" for name, values in vary.items()]
    planned = grid(models, given, vary, seeds)
    corpora = opened_once((plan, source) for plan in planned)
    corpus = judged_on(corpora[plan.id] for plan in planned)
    planned = same_batches(planned, corpus)
    if match:
        planned = matched(planned, match, corpus.tokenizer.size)
    out = Path(out)
    with BaselineJob.start(corpus) as job:
        outcomes = execute(planned, corpora, crew_at(where, Work(out, replace, command, on_event)), stop=stop)
        known = {} if stop() else job.wait()
    found = [(outcome, run_of(outcome.plan, out)) for outcome in outcomes]
    return comparison(found, corpus, known, title or f"{', '.join(models)} on {corpus.name}", command, budget(given))


def opened_once(wanted: Iterable[tuple[Planned, Any]]) -> dict[str, Corpus]:
    """The prepared text of each run, by its id; runs that read one text in the same way share it."""
    texts: dict[tuple[str, str], Corpus] = {}
    found = {}
    for plan, source in wanted:
        config = Config.from_flat(plan.given)
        how = (str(source) if isinstance(source, (str, Path)) else str(id(source)), config.data.model_dump_json())
        if how not in texts:
            texts[how] = open_corpus(source, config)
        found[plan.id] = texts[how]
    return found


MACHINE = ("device", "precision", "threads")
"""Settings of the machine that trains, which may be another one than this."""


def same_batches(planned: Sequence[Planned], corpus: Corpus) -> list[Planned]:
    """The same runs with rows and window alike, those of the first one, where none of them was asked for.

    So every step sees the very same tokens, and an equal number of steps is an equal number of tokens. (Sequences are
    batched by their tokens, which is the same for all.)
    """
    asked = {name for plan in planned for name in plan.given}
    if corpus.train.starts is not None or asked & {"batch_size", "sequence_length", "context", "batching"}:
        return list(planned)
    first = planned[0].given
    first = {name: value for name, value in first.items() if name not in MACHINE}
    train = resolve(Config.from_flat(first), corpus, first).train
    shared = {"batch_size": train.batch_size, "sequence_length": train.sequence_length}
    return [Planned(plan.id, plan.setting, {**plan.given, **shared}) for plan in planned]


def run_of(plan: Planned, out: Path) -> Run | None:
    """The run of a plan, where it came so far as to have a folder."""
    try:
        return load_run(out / plan.id)
    except RunError:
        return None


def budget(given: Mapping[str, Any]) -> str:
    """What every run was given, as a sentence."""
    name, value = next((name, float(given[name])) for name in BUDGETS if given.get(name) is not None)
    if name == "minutes" and value < 2:
        return f"Every run was given {value * 60:g} seconds of training."
    return f"Every run was given {value:,g} {UNITS[name]}."


def comparison(
    found: Sequence[tuple[Outcome, Run | None]],
    corpus: Corpus,
    known: Mapping[str, Baseline],
    title: str,
    command: str,
    budget: str,
) -> Comparison:
    """Rows, curves and samples of runs on one text, and what follows from them."""
    rows = tuple(row(outcome, run) for outcome, run in found)
    facts = corpus_facts(corpus, [one.reading for one in rows if one.reading is not None])
    own = Reading(sizes=facts.sizes, vocabulary=facts.vocabulary, tokenizer=facts.tokenizer, memorises=facts.memorises)
    rows = tuple(dataclasses.replace(one, reading=None) if one.reading == own else one for one in rows)
    there = [(outcome.plan.id, run) for outcome, run in found if run is not None]
    curves = tuple(curve_of(run, id) for id, run in there)
    figures = {name: BaselineFigures(**baseline.figures.as_dict()) for name, baseline in known.items()}
    return Comparison(
        title=title,
        command=command,
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        corpus=facts,
        budget=budget,
        baselines=figures,
        protocols=protocols([run for _, run in there]),
        rows=rows,
        curves=curves,
        samples=tuple(sample_of(run, id, corpus) for id, run in shown_writing(there, rows)),
        copies=copies_of(dict(there), corpus),
        recommendation=recommend(rows, facts, curves, figures),
        environment=environment(command),
    )


MOST_SAMPLES = 100
"""Nobody reads more, and each takes as long as a tiny run."""


def shown_writing(there: list[tuple[str, Run]], rows: Sequence[Row]) -> list[tuple[str, Run]]:
    """The runs whose samples are shown: all, or of very many those with the lowest validation loss, in their order."""
    if len(there) <= MOST_SAMPLES:
        return there
    losses = {row.id: row.nats_per_token for row in rows if row.nats_per_token is not None}
    best = set(sorted(losses, key=lambda id: losses[id])[:MOST_SAMPLES])
    return [(id, run) for id, run in there if id in best]


def row(outcome: Outcome, run: Run | None) -> Row:
    """One planned run as a row, figures or not."""
    plan = outcome.plan
    if run is None:
        train = Config.from_flat(plan.given).train
        return Row.without_figures(
            id=plan.id, setting=plan.setting, model=plan.given["model"], seed=train.seed, optimizer=train.optimizer,
            settings=plan.given, run="", status=outcome.status, reason=outcome.reason,
        )  # fmt: skip
    return row_of(run, plan.id, plan.setting, outcome.status, outcome.reason)


def judged_on(corpora: Iterable[Corpus]) -> Corpus:
    """The text that a comparison speaks of: the first that holds something out; else the first."""
    every = list(corpora)
    return next((corpus for corpus in every if not corpus.memorises), every[0])


def corpus_facts(corpus: Corpus, readings: Sequence[Reading] = ()) -> CorpusFacts:
    """The text's facts as results have them, for runs that read it in these ways."""
    facts = corpus.describe()
    kept = ("name", "source", "sha256", "vocabulary", "tokenizer", "split_rule")
    tokens = {(reading.tokenizer, reading.vocabulary) for reading in readings}
    tokens.add((corpus.tokenizer.name, corpus.tokenizer.size))
    return CorpusFacts(
        sizes=sizes_of(facts), memorises=corpus.memorises, mixed=len(tokens) > 1,
        **{name: facts[name] for name in kept},
    )  # fmt: skip


def protocols(runs: Sequence[Run]) -> Protocols:
    """How the two validation figures were measured, in the words of the evaluations themselves."""
    training = sorted({r["protocol"] for run in runs for r in run.metrics() if r["event"] == "evaluation"})
    fair = sorted({str(result["best"]["protocol"]) for run in runs if (result := run.result()) and "best" in result})
    return Protocols(in_training=in_words(training), fair=in_words(fair))


def in_words(named: Sequence[str]) -> str:
    """Protocols as one sentence: `every token once, state carried; or windows of 128 with a stride of 64`."""
    return "; or ".join(name.removeprefix("fair: ") for name in named) or "not measured"


FEW_NAMES = 4
"""So many runs are all named in a title."""


def report_on(runs: Sequence[Run], corpus: Corpus, command: str) -> Comparison:
    """Runs that exist already, side by side.

    Raises:
        RunError: they were not trained on the same text with the same tokenizer.
    """
    for run in runs[1:]:
        if (run.corpus["sha256"], run.corpus["tokenizer"]) != (runs[0].corpus["sha256"], runs[0].corpus["tokenizer"]):
            raise RunError(
                f"Runs {runs[0].name} and {run.name} were trained on different texts",
                "runs on the same text with the same tokenizer",
                "report on each by itself",
            )
    names = [run.name for run in runs]
    ids = names if len(set(names)) == len(names) else [f"{run.path.parent.name}-{run.name}" for run in runs]
    found = []
    for run, id in zip(runs, ids, strict=True):
        result = run.result() or {"status": "interrupted", "reason": "training was not finished"}
        reason = None if result["status"] == "finished" else result["reason"]
        found.append((Outcome(Planned(id, id, {}), result["status"], reason), run))
    budgets = {budget(run.config.train.model_dump()) for run in runs}
    shared = budgets.pop() if len(budgets) == 1 else "The runs had different budgets."
    several = ", ".join(names) if len(runs) <= FEW_NAMES else f"{len(runs)} runs"
    title = names[0] if len(runs) == 1 else f"{several} on {corpus.name}"
    return comparison(found, corpus, baselines(corpus), title, command, shared)
