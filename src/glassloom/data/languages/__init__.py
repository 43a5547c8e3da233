"""Formal languages: sources of which everything is known, down to the entropy that no model can beat.

>>> language = LANGUAGES["ndfa"]
>>> round(language.entropy_nats, 5), language.contains("sabc!s")
(3.0733, True)
"""

import math
from typing import Any

from glassloom.data.languages.automata import PARITY, TOMITA
from glassloom.data.languages.brackets import Brackets
from glassloom.data.languages.counting import Anbn, Copy, Dyck
from glassloom.data.languages.language import END, Language
from glassloom.data.languages.ndfa import NDFA
from glassloom.data.languages.toy import Toy
from glassloom.data.languages.written import SUFFIX, WrittenLanguage, read_grammar
from glassloom.errors import InputError
from glassloom.plugins import Catalogue


def taken(name: str, what: Any) -> Language:
    """The language that a package adds under a name, of it or of its class. Raises InputError where it is none."""
    language = what() if isinstance(what, type) and issubclass(what, Language) else what
    if not isinstance(language, Language):
        raise InputError(f"{what!r} is no Language, nor a subclass of it")
    if getattr(language, "name", None) != name:
        raise InputError(f"the name of {type(language).__name__} is not {name!r}")
    if not getattr(language, "definition", ""):
        raise InputError(f"{type(language).__name__} has no definition, a sentence for people")
    if not 0 <= language.entropy_nats < math.inf:
        raise InputError(f"its entropy is {language.entropy_nats} nats")
    return language


LANGUAGES: Catalogue[Language] = Catalogue("language", {
    language.name: language
    for language in (
        NDFA(), Brackets(), Toy(), Anbn(), Copy(), PARITY, Dyck(1), Dyck(2), Dyck(3), Dyck(4), *TOMITA,
    )
}, taken)  # fmt: skip
"""By name. A new language is one file beside these and one entry here; one's own needs neither: see `written`, and
`glassloom.plugins` for a package's."""

__all__ = ["END", "LANGUAGES", "SUFFIX", "Language", "WrittenLanguage", "read_grammar"]
