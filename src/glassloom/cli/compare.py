"""`glassloom compare CORPUS`: several models or settings, the same budget, one page."""

import dataclasses
import math
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import all_flags, given
from glassloom.cli.options import CPUS, DEBUG, GPUS, JOBS, JSON, ON, option, switch
from glassloom.cli.output import aside, print_json, say
from glassloom.errors import SettingError
from glassloom.models import ARCHITECTURES

if TYPE_CHECKING:
    from glassloom.comparison import Comparison, Table

Settings: Any = all_flags()
NOTHING_GIVEN = Settings()
MODELS = ",".join(ARCHITECTURES.own)


def compare(
    corpus: str,
    /,
    *,
    models: Annotated[
        str | None, option(f"Architectures, separated by commas; {MODELS} if not given.", "NAMES")
    ] = None,
    vary: Annotated[
        list[str] | None, option("A setting and its values, as lr=1e-4,1e-3; given again, a grid.", "NAME=X,X")
    ] = None,
    seeds: Annotated[int, option("Train each setting with so many seeds.", "N")] = 1,
    match: Annotated[str | None, option("parameters: choose widths so that all are of equal size.", "NAME")] = None,
    jobs: JOBS = None,
    on: ON = None,
    cpus: CPUS = None,
    gpus: GPUS = None,
    out: Annotated[str, option("The folder for runs and report.", "DIR")] = "runs/comparison",
    replace: Annotated[bool, switch("Begin anew what is in --out.")] = False,
    json: JSON = False,
    debug: DEBUG = False,
    settings: Annotated[Settings, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Give several models or settings the same budget; a table, figures and a recommendation.

    For example: glassloom compare novel.txt --minutes 1 --out novel
                 glassloom compare ptb --models gru,lstm --vary lr=1e-3,1e-2
                 glassloom compare ptb --seeds 5 --on ray --cpus 2

    Called again with the same arguments it goes on where it was stopped.

    A setting holds for every model. Behind it: (what it may be) [what it is
    if not given]; the word none unsets it.

    Parameters
    ----------
    corpus
        A file, a folder, - for standard input, or the name of a listed corpus.
    """
    values = given(settings)
    one = values.pop("model", None)
    if one and models:
        raise SettingError("Both --model and --models were given", "one of them", "drop --model")
    models = one or (MODELS if models is None else models)
    chosen = [name.strip() for name in models.split(",") if name.strip()]
    if not chosen:
        raise SettingError("No model was named", f"some of {MODELS}", "give --models, or leave it out for all")
    command = shlex.join(["glassloom", *sys.argv[1:]])
    return carry_out(
        as_json=json, corpus=corpus, models=chosen, vary=vary or [], seeds=seeds, match=match, jobs=jobs, on=on,
        cpus=cpus, gpus=gpus, out=out, replace=replace, command=command, **values,
    )  # fmt: skip


MOST_LINES = 40


def shortened(table: "Table", found: "Comparison") -> "Table":
    """A table that a terminal can show: of very many settings the best, in the table's order."""
    from glassloom.comparison import settings_of
    from glassloom.comparison.seeds import deciding_figure

    if len(table.lines) <= MOST_LINES:
        return table
    figure = deciding_figure(found.rows, found.corpus)
    spreads = {setting.name: setting.over_seeds(figure) for setting in settings_of(found.rows)}
    order = sorted(spreads, key=lambda name: spread.mean if (spread := spreads[name]) else math.inf)
    best = set(order[:MOST_LINES])
    return dataclasses.replace(table, lines=tuple(line for line in table.lines if line.setting in best))


def carry_out(*, as_json: bool, out: str, command: str, **arguments: Any) -> int:
    """Run a comparison with everything on the screen that belongs there."""
    from glassloom.api import compare as run_comparison
    from glassloom.cli.progress import watched
    from glassloom.comparison import comparison_table, table_as_text

    at_once = bool(arguments.get("on")) or (arguments.get("jobs") or 1) > 1
    with watched(at_once=at_once) as (watch, interrupt):
        found = run_comparison(out=out, command=command, on_event=watch, stop=interrupt, **arguments)
    if as_json:
        print_json(found.as_dict())
    else:
        say()
        table = comparison_table(found)
        shown = shortened(table, found)
        say(table_as_text(shown))
        if len(shown.lines) < len(table.lines):
            say(f"The best {len(shown.lines)} of {len(table.lines):,} settings; all of them: {out}/results.csv")
        say(table.note)
        say()
        for sentence in found.recommendation.sentences:
            say(sentence)
        say(f"\n{out}/report.html")
    if interrupt():
        aside("interrupted; the same command goes on with what is missing")
        return interrupt.exit_code
    return 0 if any(row.status == "finished" for row in found.rows) else 1
