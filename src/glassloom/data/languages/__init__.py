"""Formal languages: sources of which everything is known, down to the entropy that no model can beat.

>>> language = LANGUAGES["ndfa"]
>>> round(language.entropy_nats, 5), language.contains("sabc!s")
(3.0733, True)
"""

from glassloom.data.languages.brackets import Brackets
from glassloom.data.languages.language import END, Language
from glassloom.data.languages.ndfa import NDFA
from glassloom.data.languages.toy import Toy

LANGUAGES: dict[str, Language] = {language.name: language for language in (NDFA(), Brackets(), Toy())}
"""By name. A new language is one file beside these and one entry here."""

__all__ = ["END", "LANGUAGES", "Language"]
