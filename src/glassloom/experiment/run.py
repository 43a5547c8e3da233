"""Carry out a recipe: train what is missing, skip what is done, and write one page about it."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from glassloom.comparison import Comparison
from glassloom.comparison.compare import budget, comparison, judged_on, opened_once, run_of
from glassloom.comparison.execution import OnEvent, Outcome, Work, check_budget, execute
from glassloom.comparison.grid import Planned
from glassloom.comparison.places import Where, crew_at
from glassloom.config import BUDGETS, Config
from glassloom.data.baselines import baselines
from glassloom.data.corpus import Corpus
from glassloom.errors import InputError
from glassloom.exhibits import Exhibit, as_dict
from glassloom.experiment.checking import check_page
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.fitting import FIT, refitted
from glassloom.experiment.left_out import left_out
from glassloom.experiment.planning import Plan, plan
from glassloom.experiment.sections import page_sections, shown_of
from glassloom.experiment.targets import Reached, judged
from glassloom.recipes import Part, PlannedRun, Recipe, load_recipe
from glassloom.report import Page, write_page
from glassloom.runs import Run
from glassloom.storage import replace_file, storing
from glassloom.training import dry_run
from glassloom.training.machine import environment
from glassloom.training.resolve import open_corpus

RESULTS = "results.json"
Found = list[tuple[Outcome, Run | None]]


@dataclass(frozen=True)
class Results:
    """What a recipe gave: the content of `results.json`, and where the page is."""

    recipe: Recipe
    comparisons: dict[str, Comparison]
    exhibits: tuple[tuple[str, tuple[Exhibit, ...]], ...]
    """By the title of the section that they stand in."""
    targets: tuple[Reached, ...]
    left_out: tuple[str, ...]
    report: Path
    date: str
    command: str
    environment: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain data; `rows` are those of all parts, as `compare` has them."""
        parts = {name: found.as_dict() for name, found in self.comparisons.items()}
        return {
            "recipe": self.recipe.name,
            "title": self.recipe.title,
            "source": self.recipe.source,
            "date": self.date,
            "command": self.command,
            "rows": [row for part in parts.values() for row in part["rows"]],
            "targets": [target.as_dict() for target in self.targets],
            "left_out": list(self.left_out),
            "parts": parts,
            "exhibits": [
                {"section": title, **as_dict(exhibit)} for title, exhibits in self.exhibits for exhibit in exhibits
            ],
            "environment": self.environment,
            "report": str(self.report),
        }


def run_recipe(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    epochs: float | None = None,
    quick: bool = False,
    fit_seconds: float | None = None,
    jobs: int | None = None,
    on: str | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
    replace: bool = False,
    tensorboard: bool = False,
    trains: bool = True,
    command: str = "glassloom.run_recipe",
    on_event: OnEvent = lambda id, event: None,
    stop: Callable[[], bool] = lambda: False,
) -> Results:
    """Train the runs of a recipe into folders under `out`, and write `report.html` and `results.json` there.

    `recipe` is a listed name or a TOML file; `out`, where it is not given, `runs/NAME` (`runs/NAME-quick`).

    Called again it goes on where it was stopped. `only` limits what is trained now; runs that are there already are
    shown all the same. What `fit_seconds` made of a run is kept there too, for the machine is not measured twice alike.
    `jobs`, `on`, `cpus` and `gpus` say where, as for `glassloom.compare`; not `trains` shows what is there already.

    Raises:
        InputError: an unknown run, show or setting, a text that is not at hand, a run there with another budget, a
            folder of another recipe, a cluster that does not answer.
        StorageError: `out` cannot be written.
        WorkerError: the cluster is gone; what is saved stays.

    >>> run_recipe("novel-rnn", quick=True).as_dict()["targets"]  # doctest: +SKIP
    """
    where = Where(on, jobs, cpus, gpus)
    recipe, out = found_at(recipe, out, quick)
    chosen = plan(recipe, only=only, epochs=epochs, quick=quick, tensorboard=tensorboard)
    if not trains:
        chosen = dataclasses.replace(chosen, parts=())
    outcomes, corpora, chosen = train_runs(chosen, recipe, out, where, fit_seconds, replace, command, on_event, stop)
    found: dict[str, Found] = {}
    for part, planned in recipe.runs():
        ended = outcomes.get(planned.id) or earlier(recipe, part, planned, out)
        if ended is not None:
            there = run_of(ended.plan, out)
            found.setdefault(part.name, []).append((ended, there))
            if planned.id not in corpora and there is not None:
                corpora[planned.id] = open_corpus(part.corpus, there.config, there.tokenizer)
    shown = {outcome.plan.id: (outcome, run) for pairs in found.values() for outcome, run in pairs}
    said = left_out(recipe, shown, quick=quick, dropped=chosen.dropped)
    return show(recipe, out, found, corpora, quick=quick, left_out=[*said, *chosen.left_out], command=command)


def train_recipe(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    epochs: float | None = None,
    quick: bool = False,
    fit_seconds: float | None = None,
    jobs: int | None = None,
    on: str | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
    replace: bool = False,
    tensorboard: bool = False,
    command: str = "",
    on_event: OnEvent = lambda id, event: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Outcome]:
    """What `run_recipe` does before the page: for one of several processes that share a recipe's runs.

    Raises:
        InputError, StorageError, WorkerError: as `run_recipe`.
    """
    recipe, out = found_at(recipe, out, quick)
    chosen = plan(recipe, only=only, epochs=epochs, quick=quick, tensorboard=tensorboard)
    where = Where(on, jobs, cpus, gpus)
    outcomes, _, _ = train_runs(chosen, recipe, out, where, fit_seconds, replace, command, on_event, stop)
    return list(outcomes.values())


def found_at(recipe: Recipe | str | Path, out: str | Path | None, quick: bool) -> tuple[Recipe, Path]:
    """The recipe, and the folder for its runs.

    Raises:
        InputError: there is none of that name, it cannot be shown, or the folder holds another one.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    check_page(recipe)
    folder = Path(out or f"runs/{recipe.name}{'-quick' if quick else ''}")
    check_folder(folder, recipe)
    return recipe, folder


def train_runs(
    chosen: Plan,
    recipe: Recipe,
    out: Path,
    where: Where,
    fit_seconds: float | None,
    replace: bool,
    command: str,
    on_event: OnEvent,
    stop: Callable[[], bool],
) -> tuple[dict[str, Outcome], dict[str, Corpus], Plan]:
    """Train what was chosen: how each run ended and its text, by id; and the plan, as it was fitted into a time."""
    where.check()
    corpora = texts(chosen)
    if fit_seconds is not None:
        chosen = refitted(
            chosen, fit_seconds, lambda run: cost(run, corpora[run.id]), out, recipe.name, replace=replace
        )  # fmt: skip
    for run in () if replace else chosen.runs:
        check_budget(out / run.id, run)
    if not chosen.runs:
        return {}, corpora, chosen
    crew = crew_at(where, Work(out, replace, command, on_event))
    outcomes = execute(chosen.runs, corpora, crew, stop=stop)
    return {outcome.plan.id: outcome for outcome in outcomes}, corpora, chosen


def check_folder(out: Path, recipe: Recipe) -> None:
    """Whether what lies there is this recipe's.

    Raises:
        InputError: it is that of another recipe, or of no recipe at all.
    """
    for name in (RESULTS, FIT):
        if not (out / name).exists():
            continue
        try:
            other = json.loads((out / name).read_text(encoding="utf-8"))["recipe"]
        except (OSError, ValueError, KeyError, TypeError):
            other = "something else"
        if other != recipe.name:
            raise InputError(
                f"{out} holds {other}: its {name} is not of {recipe.name}",
                "a folder of its own for each recipe",
                "choose another --out",
            )


def earlier(recipe: Recipe, part: Part, planned: PlannedRun, out: Path) -> Outcome | None:
    """How a run that was not asked for now ended earlier; None where it was never begun."""
    plan = Planned(planned.id, planned.id, recipe.given(part, planned))
    run = run_of(plan, out)
    if run is None:
        return None
    result = run.result() or {"status": "interrupted", "reason": "training was not finished"}
    given = {**plan.given, **dict.fromkeys(BUDGETS), **dict([run.config.train.budget()])}
    reason = None if result["status"] == "finished" else result["reason"]
    return Outcome(Planned(planned.id, planned.id, given), result["status"], reason)


def texts(chosen: Plan) -> dict[str, Corpus]:
    """The prepared text of every run; one that is not at hand is said before anything is trained."""
    return opened_once((run, part.corpus) for part, runs in chosen.parts for run in runs)


def cost(run: Planned, corpus: Corpus) -> tuple[float, float]:
    """Seconds that a run would take on this machine, measured, and its updates."""
    foretold = dry_run(corpus, run.given)
    name, amount = Config.from_flat(run.given).train.budget()
    steps = {"steps": amount, "epochs": amount * foretold.steps_per_epoch}.get(name, float("inf"))
    return foretold.estimated_seconds, steps


def show(
    recipe: Recipe,
    out: Path,
    found: dict[str, Found],
    corpora: dict[str, Corpus],
    *,
    quick: bool,
    left_out: Sequence[str],
    command: str,
) -> Results:
    """Put what is there on the page."""
    titles = {part.name: part for part in recipe.part}
    comparisons = {
        name: comparison(pairs, corpus, baselines(corpus), titles[name].title, command,
                         shared_budget([outcome.plan for outcome, _ in pairs]))
        for name, pairs in found.items()
        for corpus in [judged_on(corpora[outcome.plan.id] for outcome, _ in pairs)]
    }  # fmt: skip
    runs = {outcome.plan.id: run for pairs in found.values() for outcome, run in pairs if run is not None}
    experiment = Experiment(recipe, out, quick, runs, corpora, comparisons)
    shown = [(entry, shown_of(entry, experiment)) for entry in recipe.page]
    reached = judged(experiment)
    sections = page_sections(recipe, comparisons, shown, reached, left_out)
    machine = environment(command)
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    page = Page(
        title=recipe.title, about=f"{recipe.about} Source: {recipe.source}.", date=date, command=command,
        sections=tuple(sections), environment=machine,
    )  # fmt: skip
    report = write_page(page, out)
    results = Results(
        recipe, comparisons, tuple((section.title, section.exhibits) for section in sections), tuple(reached),
        tuple(left_out), report, date, command, machine,
    )  # fmt: skip
    with storing(out):
        content = json.dumps(results.as_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    replace_file(out / RESULTS, content.encode())
    return results


def shared_budget(runs: Sequence[Planned]) -> str:
    """What every run was given, as a sentence."""
    budgets = {budget(run.given) for run in runs}
    return budgets.pop() if len(budgets) == 1 else "The runs had budgets of their own."
