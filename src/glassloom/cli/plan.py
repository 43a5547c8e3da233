"""`glassloom plan CORPUS --minutes 30`: what to train in a time, and the loss it will reach."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import flags_of, given
from glassloom.cli.options import DEBUG, JSON, option
from glassloom.cli.output import aside, print_json, say, table
from glassloom.data.settings import DataSettings
from glassloom.errors import SettingError
from glassloom.models import ARCHITECTURES

if TYPE_CHECKING:
    from glassloom.forecast import Plan, Probe

Settings: Any = flags_of(DataSettings, "data")
NOTHING_GIVEN = Settings()
MODELS = ",".join(ARCHITECTURES)


def plan(
    corpus: str,
    /,
    *,
    minutes: Annotated[float, option("How long the training may take.", "X")] = 30.0,
    models: Annotated[str, option("Architectures to weigh, separated by commas.", "NAMES")] = MODELS,
    threads: Annotated[int | None, option("Processor threads; what torch chooses if not given.", "N")] = None,
    out: Annotated[str | None, option("Write a page with the curves into this folder.", "DIR")] = None,
    json: JSON = False,
    debug: DEBUG = False,
    settings: Annotated[Settings, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Foretell what to train in a time, and the loss it will reach, with an interval.

    For example: glassloom plan novel.txt --minutes 30
                 glassloom plan novel.txt --minutes 120 --out novel-plan

    Short trainings of every architecture time the machine and see how fast
    the text is learned; they take a tenth of the time, a minute at most.

    Parameters
    ----------
    corpus
        A file, a folder, - for standard input, or the name of a listed corpus.
    """
    from glassloom.cli.signals import interruptible
    from glassloom.forecast import plan as foretell

    chosen = [name.strip() for name in models.split(",") if name.strip()]
    if not chosen:
        raise SettingError("No model was named", f"some of {MODELS}", "give --models, or leave it out for all")
    if out is not None and not out:
        raise SettingError("--out names no folder", "the folder for the page", "name one, or drop --out")
    with interruptible():
        found = foretell(corpus, minutes=minutes, models=chosen, threads=threads, on_probe=tell, **given(settings))
    page = None
    if out is not None:
        from glassloom.forecast.page import write_plan

        page = write_plan(found, out, shlex.join(["glassloom", *sys.argv[1:]]))
    if json:
        print_json(found.as_dict())
    else:
        show(found)
        if page:
            say(f"\n{page}")
    return 0


def tell(one: "Probe") -> None:
    """A line for each probe, on standard error."""
    size = f"probe {one.model} of width {one.width}: {one.tokens_per_second:,.0f} tokens/s"
    aside(size if one.nats is None else f"{size}, {one.nats:.3f} nats after {one.seconds:.1f} s")


def show(found: "Plan") -> None:
    """The table of the best sizes, the recommendation, and what must be known of it."""
    from glassloom.forecast.page import sentence

    aside(f"{len(found.probes)} probes took {found.probe_seconds:.1f} s")
    rows = [
        [one.model, f"{one.layers} x {one.width}", f"{one.parameters:,}", f"{one.tokens_per_second:,.0f}",
         f"{one.passes:.2f}", f"{one.nats:.3f}", f"{one.low:.3f} to {one.high:.3f}"]
        for one in found.of_each()
    ]  # fmt: skip
    say(table(rows, ["model", "size", "parameters", "tokens/s", "passes", "nats", f"{found.inside:.0%} of trainings"],
              texts=(0, 1)))  # fmt: skip
    moments = found.curves[0].minutes[:: max(1, len(found.curves[0].minutes) // 6)]
    curve = next(one for one in found.curves if one.model == found.best.model)
    line = [f"{curve.nats[curve.minutes.index(at)]:.3f}" for at in moments]
    say()
    say(table([[f"{curve.model}, nats", *line]], ["after minutes", *(f"{at:.3g}" for at in moments)]))
    say(f"\n{sentence(found)}")
    for note in found.notes:
        say(note)
    say(f"\n{found.command}")
