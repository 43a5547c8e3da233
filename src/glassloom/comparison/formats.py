"""A table written out: CSV of every row, LaTeX (booktabs), Markdown, and text for a terminal."""

import csv
import dataclasses
import io
import re
import unicodedata
from collections.abc import Sequence
from textwrap import wrap

from glassloom.comparison.results import Row
from glassloom.comparison.seeds import flat
from glassloom.comparison.table import Cell, Column, Table, written_setting
from glassloom.comparison.wording import visible

TITLE = 12
"""A column's title is broken into lines of about so many letters where LaTeX sets it."""


def rows_as_csv(rows: Sequence[Row]) -> str:
    """`results.csv`: every row with every figure, unrounded; each setting in a column `settings.NAME`."""
    chosen = [flat(row.settings) for row in rows]
    names = sorted({name for settings in chosen for name in settings})
    fixed = [field.name for field in dataclasses.fields(Row) if field.name not in ("settings", "reading")]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fixed + [f"settings.{name}" for name in names])
    for row, settings in zip(rows, chosen, strict=True):
        values = [written_setting(settings[name]) if name in settings else "" for name in names]
        writer.writerow([getattr(row, name) for name in fixed] + values)
    return out.getvalue()


def table_as_latex(table: Table) -> str:
    """`table.tex`: a booktabs tabular, every text escaped; right-to-left text stands in \\RL{...}.

    Any engine that has the letters compiles it (LuaLaTeX, XeLaTeX); with \\RL and \\LR as `report.tex` or the bidi
    package defines them, such text is set from the right.
    """
    head = " & ".join(_stacked(column) for column in table.columns)
    body = "\n".join(
        " & ".join(rf"\textbf{{{latex(cell.text)}}}" if cell.bold else latex(cell.text) for cell in line.cells) + r" \\"
        for line in table.lines
    )
    places = "".join("r" if column.numeric else "l" for column in table.columns)
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\providecommand{\RL}[1]{#1}",
            r"\providecommand{\LR}[1]{#1}",
            rf"\begin{{tabular}}{{{places}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule",
            *([body] if body else []),
            r"\bottomrule",
            r"\end{tabular}",
            rf"% {one_line(table.note)}",
            "",
        ]
    )


def _stacked(column: Column) -> str:
    """A column's title, a long one on several lines: the numbers below are narrow."""
    lines = [latex(line) for line in wrap(one_line(column.title), TITLE, break_long_words=False)]
    side = "r" if column.numeric else "l"
    return rf"\shortstack[{side}]{{{(chr(92) * 2).join(lines)}}}" if len(lines) > 1 else "".join(lines)


def table_as_markdown(table: Table) -> str:
    """`table.md`: a pipe table, every text escaped, and the note below it."""
    head = [markdown(column.title) for column in table.columns]
    rule = ["---:" if column.numeric else ":---" for column in table.columns]
    body = [
        [f"**{markdown(cell.text)}**" if cell.bold else markdown(cell.text) for cell in line.cells]
        for line in table.lines
    ]
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, rule, *body]]
    return "\n".join(lines) + f"\n\n{markdown(table.note)}\n"


def table_as_text(table: Table) -> str:
    """The table in columns for a terminal; the best of each architecture has a star, control characters are signs."""
    cells = [[one_line(column.title) for column in table.columns]]
    cells += [
        [_starred(cell, column) for cell, column in zip(line.cells, table.columns, strict=True)] for line in table.lines
    ]
    widths = [max(_cells_wide(row[place]) for row in cells) for place in range(len(table.columns))]
    lines = []
    for row in cells:
        padded = []
        for text, width, column in zip(row, widths, table.columns, strict=True):
            space = " " * (width - _cells_wide(text))
            padded.append(space + text if column.numeric else text + space)
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines) + "\n"


def latex(text: str) -> str:
    """Text that LaTeX sets as it is.

    >>> print(latex("50% of a_b & {c} \\\\ ~^#$"))
    50\\% of a\\_b \\& \\{c\\} \\textbackslash{} \\textasciitilde{}\\textasciicircum{}\\#\\$
    """
    line = one_line(text)
    if runs_leftwards(line):  # all of it, so that a full stop stands at the left end; what runs rightwards within it
        inner = _RIGHTWARDS.split(line)  # every other part is such a run
        parts = [rf"\LR{{{_escaped(part)}}}" if place % 2 else _escaped(part) for place, part in enumerate(inner)]
        return rf"\RL{{{''.join(parts)}}}"
    return _RIGHT_TO_LEFT.sub(lambda run: rf"\RL{{{run.group(0)}}}", _escaped(line))


def runs_leftwards(text: str) -> bool:
    """Whether a text as a whole is set from the right: its first letter decides (Unicode Standard Annex 9, P2 and P3).

    >>> runs_leftwards("12 (שלום) abc"), runs_leftwards("abc שלום"), runs_leftwards("12.")
    (True, False, False)
    """
    kinds = (unicodedata.bidirectional(sign) for sign in text)
    return next((kind != "L" for kind in kinds if kind in ("L", "R", "AL")), False)


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def markdown(text: str) -> str:
    """Text that a Markdown table shows as it is.

    >>> print(markdown("a|b *c*"))
    a\\|b \\*c\\*
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", one_line(text))


def one_line(text: str) -> str:
    """Text without line ends, control characters or marks of direction."""
    return " ".join("".join(c for c in visible(text) if unicodedata.category(c) != "Cf" or c in "\u200d\u200c").split())


_LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
_RTL = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff"
_RIGHT_TO_LEFT = re.compile(f"[{_RTL}]+(?:[ ,.;:!?'-]+[{_RTL}]+)*")
_LTR = rf"[^\W_{_RTL}]"
_RIGHTWARDS = re.compile(rf"({_LTR}+(?:[ _,.:;/+*=%'’-]*{_LTR}+)*)")


def _starred(cell: Cell, column: Column) -> str:
    text = one_line(cell.text)
    if not cell.bold:
        return text
    return f"*{text}" if column.numeric else f"{text}*"


def _cells_wide(text: str) -> int:
    """How many places of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
