"""`glassloom compare CORPUS`: several models or settings, the same budget, one page."""

import shlex
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from glassloom.api import compare as run_comparison
from glassloom.cli.flags import DEBUG, JSON, all_flags, given
from glassloom.cli.output import aside, print_json, say
from glassloom.cli.progress import Watchers
from glassloom.cli.signals import interruptible
from glassloom.comparison import comparison_table, table_as_text
from glassloom.errors import SettingError

Settings: Any = all_flags()
NOTHING_GIVEN = Settings()


def compare(
    corpus: str,
    /,
    *,
    models: Annotated[str, Parameter(help="Architectures, separated by commas.")] = "rnn,gru,lstm,transformer",
    vary: Annotated[
        Sequence[str], Parameter(help="A setting and its values, as lr=1e-4,1e-3; several make a grid.", negative=())
    ] = (),
    seeds: Annotated[int, Parameter(help="Train each setting with so many seeds.")] = 1,
    match: Annotated[str | None, Parameter(help="parameters: choose widths so that all are of equal size.")] = None,
    jobs: Annotated[int, Parameter(help="Runs at once; the threads are divided among them.")] = 1,
    out: Annotated[str, Parameter(help="The folder for runs and report.")] = "runs/comparison",
    replace: Annotated[bool, Parameter(negative=(), help="Begin anew what is in --out.")] = False,
    json: JSON = False,
    debug: DEBUG = False,
    settings: Annotated[Settings, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Give several models or settings the same budget; a table, figures and a recommendation.

    Examples: `glassloom compare novel.txt --minutes 1 --out novel`,
    `glassloom compare ptb --models gru,lstm --vary lr=1e-3,1e-2 --seeds 3 --steps 2000 --out ptb`.
    Called again with the same arguments it goes on where it was stopped.

    Parameters
    ----------
    corpus
        A file, a folder, - for standard input, or the name of a listed corpus.
    """
    values = given(settings)
    if "model" in values:
        raise SettingError("compare takes several models", "--models rnn,gru", f"say --models {values['model']}")
    command = shlex.join(["glassloom", *sys.argv[1:]])
    return carry_out(
        as_json=json,
        corpus=corpus, models=[name.strip() for name in models.split(",") if name.strip()], vary=list(vary),
        seeds=seeds, match=match, jobs=jobs, out=out, replace=replace, command=command, **values,
    )  # fmt: skip


def carry_out(*, as_json: bool, out: str, command: str, **arguments: Any) -> int:
    """Run a comparison with everything on the screen that belongs there."""
    watchers = Watchers()
    with interruptible() as interrupt:
        try:
            found = run_comparison(out=out, command=command, on_event=watchers, stop=interrupt, **arguments)
        finally:
            watchers.close()
    if as_json:
        print_json(found.as_dict())
    else:
        say()
        say(table_as_text(comparison_table(found)))
        say()
        for sentence in found.recommendation.sentences:
            say(sentence)
        say(f"\n{out}/report.html")
    if interrupt():
        aside("interrupted; the same command goes on with what is missing")
        return interrupt.exit_code
    return 0 if any(row.status == "finished" for row in found.rows) else 1
