"""`glassloom view RUN VIEW`: look inside a run; the numbers, or a page or picture of them."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from glassloom.cli.doctor import pair
from glassloom.cli.generate import read_prompt
from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import paint, print_json, say
from glassloom.errors import InputError

TEXT = Parameter.combine(
    option("The text to look at; - reads standard input. Held-out text of the run if not given.", "TEXT"),
    Parameter(allow_leading_hyphen=True),
)
WORDS = Parameter(allow_leading_hyphen=True, negative_iterable=())


def view(
    run: str | None = None,
    name: str | None = None,
    /,
    *,
    text: Annotated[str | None, TEXT] = None,
    out: Annotated[
        str | None, option("Write it into a file: .html, .svg, .png, .csv or .json; shown here if not given.", "FILE")
    ] = None,
    list_views: Annotated[bool, switch("List every view with its options.")] = False,
    beside: Annotated[
        list[str] | None, Parameter.combine(option("Another run, on the same axes.", "RUN"), WORDS)
    ] = None,
    top: Annotated[int | None, option("How many alternatives, units or neighbours.", "N")] = None,
    at: Annotated[int | None, option("The step whose loss it is, from 1.", "N")] = None,
    context: Annotated[int | None, option("Of memory: how far back is measured.", "N")] = None,
    properties: Annotated[
        list[str] | None,
        Parameter.combine(
            option("Of units: what is tracked, by name, as /REGEX/ or NAME=REGEX.", "NAME", name="--property"), WORDS
        ),
    ] = None,
    property_files: Annotated[
        list[str] | None,
        Parameter.combine(
            option(
                "Of units: a function of your own, which gives one number a character of a text. The file is run: "
                "name only one that you trust.",
                "FILE.py:NAME",
                name="--property-file",
            ),
            WORDS,
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        Parameter.combine(
            option("Of ablate: head, attention, feedforward, layer, gate or unit.", "KIND", name="--kind"), WORDS
        ),
    ] = None,
    by: Annotated[str | None, option("Of ablate: a part is switched off by its mean, or zero.", "WAY")] = None,
    other: Annotated[
        str | None,
        Parameter.combine(option("Of patch: the text that values are put into.", "TEXT"), WORDS),
    ] = None,
    changes: Annotated[
        list[str] | None,
        Parameter.combine(option("Of steer: NAME=VALUE or NAME:ENTRY=VALUE.", "CHANGE", name="--change"), WORDS),
    ] = None,
    at_least: Annotated[int | None, option("Of memorised: stretches from this length on count.", "N")] = None,
    length: Annotated[int | None, option("How many tokens are written.", "N")] = None,
    temperature: Annotated[float | None, option("How they are drawn; 0 takes the most probable.", "X")] = None,
    most: Annotated[int | None, option("Of embedding: how many tokens are shown.", "N")] = None,
    seed: Annotated[int | None, option("Where random choices begin.", "N")] = None,
    options: Annotated[
        list[str] | None,
        Parameter.combine(
            option("Of a view that a package adds: an option of its own.", "NAME=VALUE", name="--option"), WORDS
        ),
    ] = None,
    step: Annotated[int | None, option("Which checkpoint; the best if not given.", "N")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Look inside a run: a view's numbers, over a text.

    For example: glassloom view my-run surprise --text "To be, or not to be"
                 glassloom view my-run attention --text "Hello there," --out heads.html
                 glassloom view --list-views

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    name
        Which view; --list-views names them.
    """
    if list_views:
        show_list(json)
        return
    if run is None or name is None:
        missing = "No run was named" if run is None else "No view was named"
        raise InputError(missing, "a run and a view: glassloom view RUN VIEW", "see the views: --list-views")
    from glassloom.api import view as look

    if property_files:
        from glassloom.cli.property_file import function_in

        own: list[Any] = [function_in(one) for one in property_files]
    else:
        own = []
    asked = {
        "beside": beside, "top": top, "at": at, "context": context,
        "properties": [*(properties or ()), *own] or None, "kinds": kinds, "by": by, "other": other,
        "changes": changes, "at_least": at_least, "length": length, "temperature": temperature,
        "most": most, "seed": seed,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if options:
        given |= dict(pair(one, "--option") for one in options)
    found = look(run, name, None if text is None else read_prompt(text), step=step, root=runs, **given)
    if out is not None:
        from glassloom.report.viewing import write_view

        title = f"{Path(run).name}: {name}"
        path = write_view(found, out, title=title, command=shlex.join(["glassloom", *sys.argv[1:]]))
        if json:
            print_json({"view": name, "file": str(path)})
        else:
            say(str(path))
    elif json:
        print_json(found.as_dict())
    else:
        from glassloom.cli.exhibits import as_lines

        for exhibit in found.exhibits():
            for line in as_lines(exhibit):
                paint(line)


def show_list(json: bool) -> None:
    """Print every view with what it answers and its options."""
    from glassloom.views.catalogue import VIEWS

    if json:
        about = {name: {"about": entry.about, "options": list(entry.options())} for name, entry in VIEWS.items()}
        print_json({"views": about})
        return
    from glassloom.cli.exhibits import view_lines

    for line in view_lines(VIEWS):
        paint(line)
