"""`glassloom search CORPUS`: settings found by many short trainings."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import all_flags, given
from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import aside, duration, print_json, say, table

if TYPE_CHECKING:
    from glassloom.tuning import Search
    from glassloom.tuning.asked import Asked
    from glassloom.tuning.working import Told

Settings: Any = all_flags("minutes")
NOTHING_GIVEN = Settings()
SHOWN = 10
"""So many of the best trials are printed; the page has all."""


def search(
    corpus: str,
    /,
    *,
    trials: Annotated[int, option("So many trials in all, those that were stopped counted.", "N")] = 50,
    minutes: Annotated[float, option("So long by the clock in all, whichever ends first.", "X")] = 30.0,
    each: Annotated[
        float | None,
        option("Minutes of each trial at full length; so long that all fit into the time if not given.", "X"),
    ] = None,
    space: Annotated[
        list[str] | None,
        option(
            "Search this instead of the model's own list: lr=1e-4..1e-2:log, width=64..512:64, norm=pre,post; "
            "given again, another setting.",
            "NAME=...",
        ),
    ] = None,
    processes: Annotated[int, option("Trials at once; the threads are divided among them.", "N")] = 1,
    runs: RUNS = "runs",
    name: Annotated[str | None, option("The search's name; made from text and model if not given.", "NAME")] = None,
    replace: Annotated[bool, switch("Begin the search of that name anew; its runs are deleted.")] = False,
    json: JSON = False,
    debug: DEBUG = False,
    settings: Annotated[Settings, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Search settings for a model: many short trainings, of which the hopeless ones are stopped early.

    For example: glassloom search novel.txt --model gru --trials 50 --minutes 30
                 glassloom search novel.txt --layers 1 --space lr=1e-3..3e-2:log

    Called again with the same arguments, also from another terminal, it goes
    on with the same search. Each trial is a run folder below the search's
    own. A setting that is given by its flag is fixed, and not searched.

    Parameters
    ----------
    corpus
        A file, a folder, - for standard input, or the name of a listed corpus.
    """
    values = given(settings)
    model = values.pop("model", None) or "gru"
    return carry_out(
        as_json=json, corpus=corpus, model=model, trials=trials, minutes=minutes, each=each, space=space or [],
        processes=processes, runs=runs, name=name, replace=replace, **values,
    )  # fmt: skip


def carry_out(*, as_json: bool, **arguments: Any) -> int:
    """Run a search with everything on the screen that belongs there."""
    from glassloom.cli.signals import interruptible
    from glassloom.tuning import search as run_search

    with interruptible() as interrupt:
        narrator = Narrator(arguments["trials"], 60 * arguments["minutes"])

        def begin(asked: "Asked", used: float) -> None:
            interrupt.defer()
            narrator.begin(asked, used)

        found = run_search(
            arguments.pop("corpus"), arguments.pop("model"), command=shlex.join(["glassloom", *sys.argv[1:]]),
            on_begin=begin, on_told=narrator, stop=interrupt, **arguments,
        )  # fmt: skip
    if as_json:
        print_json(found.as_dict())
    else:
        show(found)
    if interrupt():
        aside("interrupted; the same command goes on with what is missing")
        return interrupt.exit_code
    return 0 if found.best is not None else 1


class Narrator:
    """A line for each trial as it ends, on standard error."""

    def __init__(self, trials: int, seconds: float) -> None:
        self.trials, self.seconds = trials, seconds
        self.evaluations = 0
        self.best: float | None = None
        self.judged: dict[int, int] = {}
        self.settings: dict[int, dict[str, Any]] = {}

    def begin(self, asked: "Asked", used: float) -> None:
        """What is searched, and how long each trial may take."""
        from glassloom.tuning.searching import each_in_words

        self.evaluations = asked.evaluations
        aside(f"search {asked.model} on {asked.corpus}: {', '.join(asked.space)}")
        left = "" if used < 1 else f", {duration(used)} of them used"
        aside(f"{self.trials:,} trials within {duration(self.seconds)}{left}. {each_in_words(asked)}")

    def __call__(self, told: "Told") -> None:
        from glassloom.tuning.space import written
        from glassloom.tuning.working import Chosen, Done, Judged

        match told:
            case Chosen():
                self.settings[told.number] = told.settings
            case Judged():
                self.judged[told.number] = told.which
            case Done():
                chosen = ", ".join(f"{name} {written(value)}" for name, value in self.settings[told.number].items())
                aside(f"trial {told.number}: {self.outcome(told)}  {chosen}")

    def outcome(self, told: Any) -> str:
        """How a trial ended."""
        judged = f"{self.judged.get(told.number, 0)} of {self.evaluations}"
        if told.state == "finished":
            better = self.best is None or told.loss < self.best
            self.best = told.loss if better else self.best
            return f"{told.loss:.4f}{' (the best so far)' if better else f' (best {self.best:.4f})'}"
        if told.state == "stopped":
            return f"stopped after {judged}, hopeless beside the others"
        if told.state == "interrupted":
            return f"interrupted after {judged}"
        return f"{told.state}: {told.reason}"


def show(found: "Search") -> None:
    """The best trials, what matters, the command that repeats the best one, and where the page is."""
    from glassloom.tuning.page import last_loss, tally
    from glassloom.tuning.results import UNIT_WORDS
    from glassloom.tuning.space import written

    ranked = found.ranked()
    names = list(ranked[0].settings) if ranked else []
    rows = [
        [one.name, "-" if (loss := last_loss(one)) is None else f"{loss:.4f}", one.state,
         f"{one.judged[-1][0] if one.judged else 0}/{found.evaluations}",
         *(written(one.settings.get(name)) for name in names)]
        for one in ranked[:SHOWN]
    ]  # fmt: skip
    say()
    say(table(rows, ["trial", UNIT_WORDS[found.unit], "ended", "judged", *names], texts=(0, 2)))
    say(f"\n{tally(found)}; {duration(found.seconds)}")
    if found.importance:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found.importance.items())
        say(f"what sets the best apart (PED-ANOVA): {shares}")
    if found.command:
        say(f"\nthe best again, at full length:\n{found.command}")
    say(f"\n{found.folder}/report.html")
