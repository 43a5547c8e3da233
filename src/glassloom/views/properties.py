"""Properties of the places of a text, which a unit may track: one number a character, from the text before and at it.

    quotes          inside double quotes (or French, German, typographic ones): 1 or 0
    line-position   characters since the line began, the first 0
    bracket-depth   brackets opened and not yet closed, of any kind
    vowel capital digit space letter punctuation        of the character itself: 1 or 0
    /REGEX/         inside a match of a regular expression; NAME=REGEX gives it a name of one's own
    a function      of the whole text, giving one number a character

A token has the property of its last character; one without text, that of the token before.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from glassloom.errors import InputError, SettingError, nearest

Floats = NDArray[np.float64]
Function: TypeAlias = Callable[[str], Sequence[float]]
Property: TypeAlias = str | Function

OPENING, CLOSING = "([{⟨«", ")]}⟩»"
QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»"}
VOWELS = frozenset("aeiou")


def quotes(text: str) -> list[bool]:
    """Inside quotes, from the opening sign up to before the closing one.

    >>> quotes('a "b" c')
    [False, False, True, True, False, False, False]
    """
    found, until = [], ""
    for sign in text:
        if until:
            until = "" if sign == until else until
        elif sign in QUOTES:
            until = QUOTES[sign]
        found.append(bool(until))
    return found


def line_position(text: str) -> list[int]:
    """Characters since the line began.

    >>> line_position("ab" + chr(10) + "c")
    [0, 1, 2, 0]
    """
    found, place = [], 0
    for sign in text:
        found.append(place)
        place = 0 if sign == "\n" else place + 1
    return found


def bracket_depth(text: str) -> list[int]:
    """Brackets opened and not yet closed, after each character; never below 0.

    >>> bracket_depth("(a[])")
    [1, 1, 2, 1, 0]
    """
    found, depth = [], 0
    for sign in text:
        depth = max(0, depth + (sign in OPENING) - (sign in CLOSING))
        found.append(depth)
    return found


def of_character(test: Callable[[str], bool]) -> Callable[[str], list[bool]]:
    """A property of each character by itself."""
    return lambda text: [test(sign) for sign in text]


def is_vowel(sign: str) -> bool:
    """Whether a letter, its marks aside, is a, e, i, o or u.

    >>> is_vowel("É"), is_vowel("y")
    (True, False)
    """
    return unicodedata.normalize("NFD", sign)[0].lower() in VOWELS


PROPERTIES: dict[str, Callable[[str], Sequence[float]]] = {
    "quotes": quotes,
    "line-position": line_position,
    "bracket-depth": bracket_depth,
    "vowel": of_character(is_vowel),
    "capital": of_character(str.isupper),
    "digit": of_character(str.isdigit),
    "space": of_character(str.isspace),
    "letter": of_character(str.isalpha),
    "punctuation": of_character(lambda sign: unicodedata.category(sign).startswith("P")),
}


def within_matches(pattern: str) -> Callable[[str], list[bool]]:
    """Inside a match of a regular expression.

    Raises:
        SettingError: it is none.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SettingError(
            f"/{pattern}/ is no regular expression: {error}", "one as Python's re has them", "correct it"
        ) from None

    def found(text: str) -> list[bool]:
        inside = [False] * len(text)
        for match in compiled.finditer(text):
            inside[match.start() : match.end()] = [True] * (match.end() - match.start())
        return inside

    return found


def named_property(wanted: Property) -> tuple[str, Function]:
    """A property's name and function: a listed one, `/REGEX/`, `NAME=REGEX`, or a function of one's own.

    Raises:
        SettingError: there is no such property.
    """
    if not isinstance(wanted, str):
        return getattr(wanted, "__name__", "own"), wanted
    if len(wanted) > 2 and wanted.startswith("/") and wanted.endswith("/"):
        return wanted, within_matches(wanted[1:-1])
    name, equals, pattern = wanted.partition("=")
    if equals and name.strip() and pattern:
        bare = pattern[1:-1] if len(pattern) > 2 and pattern[0] == pattern[-1] == "/" else pattern
        return name.strip(), within_matches(bare)
    if wanted not in PROPERTIES:
        known = ", ".join(PROPERTIES)
        raise SettingError(
            f"There is no property {wanted!r}", f"{known}, /REGEX/ or NAME=REGEX", nearest(wanted, PROPERTIES)
        )
    return wanted, PROPERTIES[wanted]


def property_of_tokens(wanted: Property, pieces: Sequence[str]) -> tuple[str, Floats]:
    """A property's name, and its value at each token of a text in pieces.

    >>> property_of_tokens("digit", ["a1", "b", ""])[1].tolist()
    [1.0, 0.0, 0.0]

    Raises:
        InputError: a function gives another number of values than the text has characters.
    """
    name, function = named_property(wanted)
    text = "".join(pieces)
    values = np.asarray(function(text), dtype=np.float64)
    if values.shape != (len(text),):
        raise InputError(
            f"The property {name} gives values of shape {values.shape}",
            f"one number for each of the {len(text)} characters",
            "let the function return as many numbers as the text has characters",
        )
    ends = np.cumsum([len(piece) for piece in pieces])
    return name, np.where(ends > 0, values[np.maximum(ends, 1) - 1], 0.0)
