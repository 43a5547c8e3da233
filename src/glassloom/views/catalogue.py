"""Every view by its name: what it answers, which function it is, and what else it may be asked."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from glassloom.errors import InputError, SettingError, nearest
from glassloom.plugins import Catalogue
from glassloom.views.labelled import View
from glassloom.views.subject import Source, Subject, subject


@dataclass(frozen=True)
class Entry:
    """A view in the list: its function, in words what it answers, and of how much text it is asked.

    `text`: the view needs one (held-out text stands in where none is given), may do with none, or takes none.
    `tokens` is how much held-out text stands in.
    """

    function: str | Callable[..., View]
    about: str
    text: Literal["needed", "optional", "none"] = "needed"
    tokens: int = 200

    def load(self) -> Callable[..., View]:
        """The function, imported when it is asked for."""
        if not isinstance(self.function, str):
            return self.function
        module, _, name = self.function.partition(":")
        found: Callable[..., View] = getattr(importlib.import_module(f"glassloom.views.{module}"), name)
        return found

    def options(self) -> tuple[str, ...]:
        """What else it may be asked: its keyword arguments."""
        parameters = inspect.signature(self.load()).parameters.values()
        return tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY)

    def required(self) -> tuple[str, ...]:
        """What it must be asked: keyword arguments without a default."""
        parameters = inspect.signature(self.load()).parameters.values()
        return tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY and one.default is one.empty)


def taken(name: str, what: Any) -> Entry:
    """The entry of a view that a package adds: `view(source, text, *, options) -> View`, read off its signature.

    Without a default for the text it needs one, with one it may do without, and without such an argument it takes none.
    What it answers is the first line of its docstring. Raises InputError where it is no such function.
    """
    if not callable(what) or isinstance(what, type):
        raise InputError(f"{what!r} is no function")
    parameters = list(inspect.signature(what).parameters.values())
    given = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if not 1 <= len(given) <= 2 or len(given) + sum(one.kind is one.KEYWORD_ONLY for one in parameters) < len(
        parameters
    ):
        raise InputError(f"{what.__name__} does not take (source, text, *, options)")
    about = (inspect.getdoc(what) or "").partition("\n")[0].rstrip(".")
    if not about:
        raise InputError(f"{what.__name__} has no docstring that says what it answers")
    text: Literal["needed", "optional", "none"] = "needed"
    if len(given) == 1 or given[1].default is not inspect.Parameter.empty:
        text = "none" if len(given) == 1 else "optional"
    return Entry(what, about[:1].lower() + about[1:], text)


VIEWS: Catalogue[Entry] = Catalogue("view", {
    "surprise": Entry("surprise:surprise", "what each token costs, and what was more probable", tokens=400),
    "attention": Entry("attended:attended", "where each head looks, and what it does", tokens=48),
    "probabilities": Entry("probabilities:probabilities", "what may come next, layer by layer", tokens=40),
    "gradient-flow": Entry("flows:flows", "how far back the loss at one step reaches", tokens=64),
    "attribution": Entry("attribution:attribution", "what each token owes to the tokens before it", tokens=48),
    "memory": Entry("memory:memory", "how far back a change matters, and what context is worth", tokens=400),
    "units": Entry("units:units", "which hidden units track a property of the text", tokens=1_000),
    "gates": Entry("gates:gates", "how open the gates are, and how many are saturated"),
    "memorised": Entry("copied_text:copied_text", "what stands in the training text, and where", text="optional"),
    "timelapse": Entry("timelapse:timelapse", "one prompt and seed at every checkpoint", text="optional"),
    "ablate": Entry("ablation:ablate", "what each head, layer, gate or unit is worth", tokens=100),
    "patch": Entry("patching:patch", "where lies what tells two texts apart", tokens=0),
    "steer": Entry("steering:steer", "what it writes with inner values held", text="optional"),
    "embedding": Entry("embedding:embedding", "tokens in the plane, and their neighbours", text="optional"),
    "training": Entry("training_norms:training_norms", "norms and updates of each layer over training", text="none"),
}, taken)  # fmt: skip
"""In the order in which they are listed."""


def look(source: Source, view: str, text: str | Sequence[int] | None = None, **options: Any) -> View:
    """The view of that name, of a source and a text; without a text, of the first held-out text that there is.

    >>> look(run, "surprise", "To be, or not to be", top=3).facts()  # doctest: +SKIP

    Raises:
        SettingError: there is no such view, or it has no such option.
        InputError: it needs a text, and none is at hand.
    """
    entry = entry_of(view)
    known = entry.options()
    for name in options:
        if name not in known:
            choice = nearest(name, known) if known else "ask it without options"
            raise SettingError(f"The view {view} has no option {name}", ", ".join(known) or "no option", choice)
    for name in entry.required():
        if name not in options:
            raise SettingError(f"The view {view} needs {name}", f"{view} with {name}", f"give {name} (--help says how)")
    of = subject(source)
    function = entry.load()
    if entry.text == "none":
        if text is not None:
            raise SettingError(f"The view {view} takes no text", "a run alone", "leave the text out")
        return function(of, **options)
    if text is None and entry.text == "needed":
        text = held_out_tokens(of, entry.tokens)
        others = [subject(other).tokenizer for other in options.get("beside") or ()]
        if any(other.to_json() != of.tokenizer.to_json() for other in others):  # the same text, by other ids
            text = of.tokenizer.decode(text)
    return function(of, text, **options)


def entry_of(view: str) -> Entry:
    """The entry of that name.

    Raises:
        SettingError: there is none (the nearest is offered).
    """
    if view not in VIEWS:
        raise SettingError(f"There is no view called {view!r}", f"one of {', '.join(VIEWS)}", nearest(view, VIEWS))
    return VIEWS[view]


def held_out_tokens(of: Subject, tokens: int) -> list[int]:
    """The first so many ids of the held-out text; of sequences, those of the longest (the first of equals).

    Raises:
        InputError: there is no such text.
    """
    corpus = of.corpus
    part = None if corpus is None else corpus.valid if corpus.valid.tokens else corpus.train
    if part is None or not part.tokens:
        raise InputError("There is no text to look at", "a text, as none of the run's is at hand", "give --text")
    begin, end = 0, part.tokens
    if part.starts is not None and len(part.starts):
        edges = np.append(part.starts, part.tokens)
        longest = int(np.diff(edges).argmax())
        begin, end = int(edges[longest]), int(edges[longest + 1])
    return [int(index) for index in part.ids[begin : min(end, begin + tokens)]]
