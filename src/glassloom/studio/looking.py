"""Views, comparisons and reports for the page: asked of the rooms that make them, handed on as plain data."""

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from glassloom.api import run_corpus
from glassloom.comparison.compare import report_on
from glassloom.errors import InputError, SettingError, nearest
from glassloom.exhibits import Exhibit, as_dict
from glassloom.report import page_as_html
from glassloom.report.drawing import Shown, show
from glassloom.report.viewing import WRITERS
from glassloom.runs import Run
from glassloom.studio.shelf import Opened
from glassloom.views.catalogue import VIEWS, Entry, entry_of, look
from glassloom.views.labelled import View, plain

MOST_CHARACTERS = 4_000
MOST_BESIDE = 4
SHORTER = {"attention": 400, "attribution": 300, "patch": 300, "probabilities": 1000}
"""Characters of views whose work grows with the square of the text."""
NUMBERS = ("top", "at", "context", "at_least", "length", "most", "seed")
LISTS = ("properties", "kinds", "changes")
BOUNDS = {"length": 500, "context": 512, "top": 50, "most": 2000}
KINDS_OF_FILE = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def views() -> list[dict[str, Any]]:
    """Every view with what it answers, whether it needs a text, and what else it may be asked."""
    return [{"name": name, **entry_facts(entry)} for name, entry in VIEWS.items()]


def entry_facts(entry: Entry) -> dict[str, Any]:
    """One view's facts."""
    options = [name for name in entry.options() if name != "beside"]
    several = "beside" in entry.options()
    return {"about": entry.about, "text": entry.text, "options": options, "several": several,
            "required": list(entry.required())}  # fmt: skip


def found_by(opened: Opened, beside: Sequence[Opened], asked: dict[str, Any]) -> View:
    """What the view that a request names finds.

    Raises:
        InputError: no such view or option, or a text that cannot be used.
    """
    name, text = asked.get("view"), asked.get("text")
    if not isinstance(name, str):
        raise InputError("No view was named", "a view", nearest("", VIEWS))
    entry_of(name)
    most = SHORTER.get(name, MOST_CHARACTERS)
    if text is not None and (not isinstance(text, str) or len(text) > most):
        raise InputError(
            "The text cannot be used", f"at most {most:,} characters", "look at less, or use glassloom view"
        )
    options = options_of(asked.get("options") or {})
    if beside:
        options["beside"] = [one.subject for one in beside]
    locks = sorted({id(one.lock): one.lock for one in (opened, *beside)}.items())
    for _, lock in locks:
        lock.acquire()
    try:
        return look(opened.subject, name, text or None, **options)
    finally:
        for _, lock in reversed(locks):
            lock.release()


def options_of(given: Any) -> dict[str, Any]:
    """A view's options, each of its kind.

    Raises:
        SettingError: a value of another kind, or out of bounds.
    """
    if not isinstance(given, dict):
        raise SettingError("The options cannot be read", "names and values", "give them anew")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value in (None, "", []):
            continue
        if name in NUMBERS:
            if type(value) is not int or not 0 <= value <= BOUNDS.get(name, 2**62):
                bounds = f"a whole number from 0 to {BOUNDS[name]:,}" if name in BOUNDS else "a whole number"
                raise SettingError(f"{name} cannot be {value!r}", bounds, "choose another")
        elif name == "temperature":
            if not isinstance(value, (int, float)) or not 0 <= value <= 100:
                raise SettingError(f"temperature cannot be {value!r}", "0 to 100", "choose another")
        elif name in LISTS:
            value = [value] if isinstance(value, str) else value
            if not isinstance(value, list) or not all(isinstance(one, str) and len(one) < 500 for one in value):
                raise SettingError(f"{name} cannot be read", "words", "give them anew")
            # a pattern can take for ever, unstoppably
            if name == "properties" and any(one.startswith("/") or "=" in one for one in value):
                raise SettingError(
                    "Regular expressions are not taken from the page", "listed properties", "use glassloom view"
                )
        elif not isinstance(value, str) or len(value) > MOST_CHARACTERS:
            raise SettingError(f"{name} cannot be read", "a text", "give it anew")
        found[name] = value
    return found


def as_shown(found: View) -> dict[str, Any]:
    """A view for the page: its facts, and each exhibit made ready as `report` makes it."""
    return plain(
        {"view": found.view, "facts": found.as_dict()["facts"], "exhibits": list(map(exhibit, found.exhibits()))}
    )


def exhibit(one: Exhibit) -> dict[str, Any]:
    """An exhibit with what draws it: a chart's specification, a table's cells, a text's pieces, a matrix's numbers."""
    shown = show(one)
    told: dict[str, Any] = {"kind": shown.kind, "name": one.name, "title": one.title, "caption": one.caption}
    if shown.figure is not None:
        told |= {"caption": shown.figure.caption, "words": list(shown.figure.words)}
    return told | CONTENT.get(shown.kind, lambda shown: {})(shown)


def _coloured(shown: Shown) -> dict[str, Any]:
    texts = [
        {"label": text["label"], "spans": [[span.text, span.shade, span.note] for span in text["spans"]]}
        for text in shown.content["texts"]
    ]
    scale = {name: shown.content[name] for name in ("scale", "low", "high")}
    return {**scale, "texts": texts, "unit": shown.exhibit.unit}


CONTENT: dict[str, Callable[[Shown], dict[str, Any]]] = {
    "prose": lambda shown: {"paragraphs": list(shown.exhibit.paragraphs)},
    "table": lambda shown: {
        "columns": [[column.title, column.numeric] for column in shown.exhibit.columns],
        "rows": shown.content,
    },
    "chart": lambda shown: {"spec": shown.figure.spec if shown.figure else None},
    "matrices": lambda shown: {**as_dict(shown.exhibit), "kind": "matrices"},
    "texts": lambda shown: {"groups": shown.content},
    "coloured": _coloured,
}
"""By the kind of what is shown: what the page draws it from."""


def as_file(found: View, form: Any, run: str) -> tuple[bytes, str, str]:
    """A view as `glassloom view --out` writes it: content, type, name of the file.

    Raises:
        InputError: there is no such form, or nothing in the view that could be drawn.
    """
    ending = f".{form}"
    if ending not in WRITERS:
        raise InputError(f"A view cannot be written as {form}", ", ".join(WRITERS), "choose one of these")
    command = shlex.join(["glassloom", "view", run, found.view, "--out", f"{found.view}{ending}"])
    content = WRITERS[ending](found, f"{run}: {found.view}", command)
    name = f"{run.replace('/', '-')}-{found.view}{ending}"
    return content.encode("utf-8", "replace") if isinstance(content, str) else content, KINDS_OF_FILE[ending], name


def report_page(runs: Sequence[Run]) -> str:
    """The page that `glassloom report` writes about these runs.

    Raises:
        InputError: there is none. RunError: they have different texts, or the text is not at hand.
    """
    if not runs:
        raise InputError("No run was named", "one or more", "choose some")
    held_out = [run for run in runs if not run.config.data.memorises]
    text = run_corpus((held_out or list(runs))[0], otherwise="put the text back as it was")
    return page_as_html(report_on(runs, text, shlex.join(["glassloom", "report", *(run.name for run in runs)])))
