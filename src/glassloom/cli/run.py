"""`glassloom run RECIPE`: a named experiment, or a TOML file of one."""

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from glassloom.cli.options import CPUS, DEBUG, GPUS, JOBS, JSON, ON, option, switch
from glassloom.cli.output import aside, print_json, say, table
from glassloom.errors import InputError

if TYPE_CHECKING:
    from glassloom.cli.signals import Interrupt
    from glassloom.recipes import Recipe

Found = TypeVar("Found")


def run(
    recipe: str | None = None,
    /,
    *,
    out: Annotated[
        str | None,
        option("The folder for runs and page; runs/RECIPE if not given, with --quick runs/RECIPE-quick.", "DIR"),
    ] = None,
    only: Annotated[
        str | None, option("Train these only: ids of runs, groups or parts, separated by commas.", "NAMES")
    ] = None,
    epochs: Annotated[float | None, option("So many epochs instead of every run's own budget.", "X")] = None,
    quick: Annotated[
        bool, switch("A short version, within 10 minutes on two cores; it says what it left out.")
    ] = False,
    fit: Annotated[
        str | None, option("Measure this machine and shrink every run to fit into a time, as 45min or 2h.", "TIME")
    ] = None,
    jobs: JOBS = None,
    on: ON = None,
    cpus: CPUS = None,
    gpus: GPUS = None,
    stage: Annotated[
        Literal["train", "page"] | None,
        option("train: the runs without the page. page: the page of what is there. Both if not given."),
    ] = None,
    tensorboard: Annotated[bool, switch("Write TensorBoard's event files into every run's folder.")] = False,
    replace: Annotated[bool, switch("Begin anew what is in --out.")] = False,
    list: Annotated[bool, switch("List the recipes: source, time, figures to reach.")] = False,
    json: JSON = False,
    debug: DEBUG = False,
) -> int:
    """Carry out a named experiment: train what is missing, skip what is done, write one page.

    For example: glassloom run --list
                 glassloom run ptb-architectures --quick
                 glassloom run ptb-architectures --only 3.1d,3.2a --epochs 1 --out ptb

    Parameters
    ----------
    recipe
        A listed recipe, or a TOML file of one.
    """
    from glassloom.recipes import listed, load_recipe

    if list:
        return show_list(json)
    if recipe is None:
        raise InputError("No recipe was named", f"one of {', '.join(listed())}, or a TOML file", "see --list")
    if on == "slurm":
        check_for_slurm(fit=fit, replace=replace, stage=stage)
        return hand_in(
            recipe, out, json, only=names(only), epochs=epochs, quick=quick, tensorboard=tensorboard, jobs=jobs,
            cpus=cpus, gpus=gpus,
        )  # fmt: skip
    chosen = load_recipe(recipe)
    given: dict[str, Any] = {"only": names(only), "epochs": epochs, "quick": quick, "tensorboard": tensorboard}
    given |= {"replace": replace, "jobs": jobs, "on": on, "cpus": cpus, "gpus": gpus}
    return train_only(chosen, out, json, fit, given) if stage == "train" else (
        carry_out(chosen, out, json, fit, {**given, "trains": stage is None})
    )  # fmt: skip


def names(only: str | None) -> tuple[str, ...]:
    """The names of a list with commas; none where no list was given."""
    found = tuple(name.strip() for name in (only or "").split(",") if name.strip())
    if only is not None and not found:
        raise InputError(f"--only {only!r} names nothing", "ids of runs, groups or parts", "name some, or drop --only")
    return found


def carry_out(
    recipe: "Recipe",
    out: str | None,
    as_json: bool,
    fit: str | None,
    given: dict[str, Any],
) -> int:
    """Run a recipe with everything on the screen that belongs there."""
    from glassloom.experiment.run import run_recipe

    found, interrupt = watched_over(run_recipe, recipe, out, fit, given)
    if as_json:
        print_json(found.as_dict())
    else:
        rows = [
            [one.target.run or "-", one.target.figure, one.asked, "-" if one.value is None else f"{one.value:.5g}",
             one.verdict]
            for one in found.targets
        ]  # fmt: skip
        if rows:
            say(table(rows, ["run", "figure", "asked for", "ours", "verdict"], texts=(0, 1, 2, 4)))
        for sentence in found.left_out:
            say(sentence)
        say(f"\n{found.report}")
    failed = [row for part in found.comparisons.values() for row in part.rows if row.status == "failed"]
    for row in failed:
        aside(f"{row.id} failed: {row.reason}")
    if interrupt():
        aside("interrupted; the same command goes on with what is missing")
        return interrupt.exit_code
    return 1 if failed else 0


def watched_over(
    what: "Callable[..., Found]", recipe: "Recipe", out: str | None, fit: str | None, given: dict[str, Any]
) -> "tuple[Found, Interrupt]":
    """What a function of recipes found, shown while it worked; and whether a signal asked for the end."""
    from glassloom.cli.progress import watched
    from glassloom.experiment.planning import duration

    command = shlex.join(["glassloom", *sys.argv[1:]])
    with watched(at_once=bool(given["on"]) or (given["jobs"] or 1) > 1) as (watch, interrupt):
        found = what(
            recipe, out, fit_seconds=duration(fit) if fit else None, command=command, on_event=watch, stop=interrupt,
            **given,
        )  # fmt: skip
    return found, interrupt


def train_only(recipe: "Recipe", out: str | None, as_json: bool, fit: str | None, given: dict[str, Any]) -> int:
    """Train runs of a recipe and leave its page alone, which other processes may train for, too."""
    from glassloom.experiment.run import train_recipe

    outcomes, interrupt = watched_over(train_recipe, recipe, out, fit, given)
    if as_json:
        print_json({"runs": [{"id": one.plan.id, "status": one.status, "reason": one.reason} for one in outcomes]})
    else:
        for one in outcomes:
            say(f"{one.plan.id}: {one.status}{f', {one.reason}' if one.reason else ''}")
    if interrupt():
        return interrupt.exit_code
    return 1 if any(one.status == "failed" for one in outcomes) else 0


def check_for_slurm(*, fit: str | None, replace: bool, stage: str | None) -> None:
    """What goes with no job array.

    Raises:
        InputError: one of them was given.
    """
    if fit is not None:
        raise InputError("--fit measures this machine, and Slurm's are others", "--epochs or --quick", "drop --fit")
    if replace:
        raise InputError(
            "--replace would begin a run anew whenever Slurm queues it again", "a new folder", "choose another --out"
        )
    if stage is not None:
        raise InputError("--stage is what the scripts of --on slurm call themselves", "one of them", "drop --stage")


def hand_in(recipe: str, out: str | None, as_json: bool, **given: Any) -> int:
    """Write the scripts for Slurm, and say how they are handed in."""
    from glassloom.experiment.slurm import write_submit_scripts

    script = write_submit_scripts(recipe, out, **given)
    if as_json:
        print_json({"submit": str(script)})
    else:
        say(f"bash {shlex.quote(str(script))}   # hands in the runs, and the page for when they have ended")
    return 0


def show_list(as_json: bool) -> int:
    """Every listed recipe: name, source, time, and the figures that it must reach."""
    from glassloom.recipes import listed, load_recipe

    found = [load_recipe(name) for name in listed()]
    if as_json:
        print_json({"recipes": [recipe.model_dump(include=LISTED) for recipe in found]})
        return 0
    for recipe in found:
        say(f"{recipe.name}: {recipe.title}")
        say(f"  source  {recipe.source}")
        times = f"{time_of(recipe.hours_cpu)} on two cores, {time_of(recipe.hours_gpu)} on a GPU"
        say(f"  time    {times}; --quick at most 10 minutes on two cores")
        for target in recipe.targets():
            say(f"  must    {target.run or recipe.name}: {target.described}, {target.asked}")
        say()
    return 0


LISTED = {"name", "title", "source", "hours_cpu", "hours_gpu", "target"}


def time_of(hours: float | None) -> str:
    """A recipe's time in words; nothing is guessed."""
    if hours is None:
        return "not yet measured"
    return f"{hours * 60:.0f} minutes" if hours < 2 else f"{hours:.0f} hours"
