"""Carry out a recipe: train what is missing, skip what is done, and write one page about it."""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from glassloom.comparison import Comparison
from glassloom.comparison.compare import budget, comparison, judged_on, run_of
from glassloom.comparison.execution import OnEvent, Outcome, execute
from glassloom.comparison.grid import Planned
from glassloom.config import BUDGETS, Config
from glassloom.data.baselines import baselines
from glassloom.data.corpus import Corpus
from glassloom.errors import InputError, nearest
from glassloom.exhibits import Exhibit, Prose, as_dict
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.planning import Plan, fitted, plan
from glassloom.experiment.shows import SHOWS
from glassloom.experiment.targets import Reached, judged, targets_table
from glassloom.recipes import Part, PlannedRun, Recipe, Shown, load_recipe
from glassloom.report import Page, Section, write_page
from glassloom.storage import replace_file, storing
from glassloom.training import dry_run
from glassloom.training.machine import environment
from glassloom.training.resolve import open_corpus

Found = list[tuple[Outcome, Any]]


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
    jobs: int = 1,
    replace: bool = False,
    command: str = "glassloom.run_recipe",
    on_event: OnEvent = lambda id, event: None,
    stop: Callable[[], bool] = lambda: False,
) -> Results:
    """Train the runs of a recipe into folders under `out`, and write `report.html` and `results.json` there.

    `recipe` is a listed name or a TOML file; `out`, where it is not given, `runs/NAME` (`runs/NAME-quick`).

    Called again it goes on where it was stopped. `only` limits what is trained now; runs that are there already are
    shown all the same.

    Raises:
        InputError: an unknown run, show or setting, a text that is not at hand, a run there with another budget.
        StorageError: `out` cannot be written.

    >>> run_recipe("novel-rnn", quick=True).as_dict()["targets"]  # doctest: +SKIP
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    check_shows(recipe)
    out = Path(out or f"runs/{recipe.name}{'-quick' if quick else ''}")
    chosen = plan(recipe, only=only, epochs=epochs, quick=quick)
    corpora = texts(chosen)
    if fit_seconds is not None:
        chosen = fitted(chosen, fit_seconds, lambda run: cost(run, corpora[run.id]))
    outcomes: dict[str, Outcome] = {}
    for _, runs in chosen.parts:
        for outcome in execute(
            list(runs), corpora, out, jobs=jobs, replace=replace, command=command, on_event=on_event, stop=stop
        ):
            outcomes[outcome.plan.id] = outcome
    found: dict[str, Found] = {}
    for part, planned in recipe.runs():
        ended = outcomes.get(planned.id) or earlier(recipe, part, planned, out)
        if ended is not None:
            run = run_of(ended.plan, out)
            found.setdefault(part.name, []).append((ended, run))
            if planned.id not in corpora and run is not None:
                corpora[planned.id] = open_corpus(part.corpus, run.config, run.tokenizer)
    return show(recipe, out, found, corpora, quick=quick, left_out=chosen.left_out, command=command)


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
    return {
        run.id: open_corpus(part.corpus, Config.from_flat(run.given)) for part, runs in chosen.parts for run in runs
    }


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
    shown = [(entry, SHOWS[entry.show](experiment, **entry.arguments)) for entry in recipe.page]
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
    replace_file(out / "results.json", content.encode())
    return results


def shared_budget(runs: Sequence[Planned]) -> str:
    """What every run was given, as a sentence."""
    budgets = {budget(run.given) for run in runs}
    return budgets.pop() if len(budgets) == 1 else "The runs had budgets of their own."


def page_sections(
    recipe: Recipe,
    comparisons: dict[str, Comparison],
    shown: Sequence[tuple[Shown, list[Exhibit]]],
    reached: Sequence[Reached],
    left_out: Sequence[str],
) -> list[Section]:
    """The page: the targets and what was left out; each part with what belongs to it; the rest."""
    first: list[Exhibit] = [targets_table(list(reached))] if reached else []
    if left_out:
        first.append(Prose(name="left-out", title="What this version left out", paragraphs=tuple(left_out)))
    sections = [Section(title="Reported, asked for, reached", exhibits=tuple(first))] if first else []
    for part in recipe.part:
        own = [exhibit for entry, exhibits in shown if entry.part == part.name for exhibit in exhibits]
        if part.name in comparisons:
            sections.append(part_section(part, comparisons[part.name], own))
    for entry, exhibits in shown:
        if entry.part:
            continue
        if entry.section or not sections:
            sections.append(Section(title=entry.section or recipe.title, exhibits=tuple(exhibits)))
        else:
            last = sections.pop()
            sections.append(replace(last, exhibits=(*last.exhibits, *exhibits)))
    return [section for section in sections if section.exhibits or section.comparison]


def part_section(part: Part, found: Comparison, own: Sequence[Exhibit]) -> Section:
    """One part: what it is about, its table and curves, what is shown of it."""
    return Section(name=part.name, title=part.title, about=part.about, exhibits=tuple(own), comparison=found)


def check_shows(recipe: Recipe) -> None:
    """Whether the page asks for shows that exist, with arguments that they take.

    Raises:
        InputError: one does not (the nearest is offered).
    """
    for entry in recipe.page:
        if entry.show not in SHOWS:
            raise InputError(
                f"{recipe.name} asks for an unknown show, {entry.show}", "one that there is", nearest(entry.show, SHOWS)
            )
        parameters = inspect.signature(SHOWS[entry.show]).parameters
        takes = [name for name in parameters if name != "experiment"]
        for name in entry.arguments:
            if name not in takes:
                raise InputError(
                    f"{recipe.name}: the show {entry.show} has no argument {name}",
                    f"one of {', '.join(takes) or '(none)'}",
                    nearest(name, takes) if takes else "drop it",
                )
        for name in takes:
            if name not in entry.arguments and parameters[name].default is inspect.Parameter.empty:
                raise InputError(f"{recipe.name}: the show {entry.show} needs {name}", f"{name} = ...", "add it")
