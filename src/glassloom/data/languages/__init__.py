"""Formal languages: sources of which everything is known, down to the entropy that no model can beat.

>>> language = LANGUAGES["ndfa"]
>>> round(language.entropy_nats, 5), language.contains("sabc!s")
(3.0733, True)
"""

from glassloom.data.languages.automata import PARITY, TOMITA
from glassloom.data.languages.brackets import Brackets
from glassloom.data.languages.counting import Anbn, Copy, Dyck
from glassloom.data.languages.language import END, Language
from glassloom.data.languages.ndfa import NDFA
from glassloom.data.languages.toy import Toy
from glassloom.data.languages.written import SUFFIX, WrittenLanguage, read_grammar

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        NDFA(), Brackets(), Toy(), Anbn(), Copy(), PARITY, Dyck(1), Dyck(2), Dyck(3), Dyck(4), *TOMITA,
    )
}  # fmt: skip
"""By name. A new language is one file beside these and one entry here; one's own needs neither: see `written`."""

__all__ = ["END", "LANGUAGES", "SUFFIX", "Language", "WrittenLanguage", "read_grammar"]
