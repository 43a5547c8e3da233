"""How figures and names are written, the same in sentences, tables and pages."""

import math
from collections.abc import Sequence

UNITS = {"perplexity": "perplexity", "bits_per_character": "bits per character"}
"""The unit of a figure, by its key, as it is written in a sentence."""


def quality(value: float, unit: str) -> str:
    """A validation figure with as many digits as can matter.

    >>> quality(126.9234, "perplexity"), quality(4.1234, "bits_per_character"), quality(663808650.0, "perplexity")
    ('126.92', '4.123', '6.64e+08')
    """
    if unit == "perplexity":
        return f"{value:,.2f}" if value < 1e5 else f"{value:.2e}"
    return f"{value:.3f}"


def with_unit(value: float, unit: str) -> str:
    """A validation figure with its unit in words: the unit first for perplexity, last for bits.

    >>> with_unit(126.9234, "perplexity"), with_unit(4.1234, "bits_per_character")
    ('perplexity 126.92', '4.123 bits per character')
    """
    written = quality(value, unit)
    return f"perplexity {written}" if unit == "perplexity" else f"{written} {UNITS[unit]}"


def seconds(value: float) -> str:
    """A time in seconds with three digits or more.

    >>> seconds(0.0123), seconds(12.34), seconds(2846.2)
    ('0.012 s', '12.3 s', '2,846 s')
    """
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.1f} s" if value >= 1 else f"{value:.3f} s"


def count(value: float) -> str:
    """A whole number in groups of three.

    >>> count(3609282)
    '3,609,282'
    """
    return f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent.

    >>> share(1, 8), share(1, 1000)
    ('12.5%', '0.1%')
    """
    return f"{100 * part / whole:.1f}%" if whole and math.isfinite(part / whole) else "0.0%"


MOST_LISTED, FIRST_LISTED = 20, 10
"""Of more names than that a sentence has the first ones, and how many there are beside them."""


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    >>> listed([str(number) for number in range(1000)])
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more'
    """
    if len(names) > MOST_LISTED:
        names = [*names[:FIRST_LISTED], f"{len(names) - FIRST_LISTED:,} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def visible(text: str) -> str:
    """Text with its control characters as signs that can be seen; line ends and tabs stay.

    >>> visible("a" + chr(27) + "[31m" + chr(0))
    'a␛[31m␀'
    """
    return text.replace("\r\n", "\n").translate(_PICTURES)


_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
_PICTURES |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD)}
