"""What all pages of ours are printed on: their colours, letters and woven band, as one style sheet.

Reports, pages with a model in them and the studio put it before their own rules. Those who make pages do not import
each other, so what they share lies below them all.
"""

import functools
from importlib import resources


@functools.cache
def style() -> str:
    """The style sheet `paper.css`."""
    return resources.files("glassloom.paper").joinpath("paper.css").read_text(encoding="utf-8")
