"""A report as LaTeX: a whole article, booktabs tables, its figures as PDF beside it, every text escaped.

XeLaTeX and LuaLaTeX set every letter that the font has, from the right where it runs that way, by the engines' own
means: what begins with such a letter is set from the right as a whole, so that its full stop stands at its left end.
pdfLaTeX sets Latin ones.
"""

from glassloom.comparison import table_as_latex
from glassloom.comparison.formats import latex, runs_leftwards
from glassloom.comparison.wording import visible
from glassloom.report.blocks import Block, Code, Facts, Grid, Heading, Paragraph, Picture, Quote

PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage{iftex}
\iftutex
  \usepackage{fontspec}\ifLuaTeX\defaultfontfeatures{Renderer=HarfBuzz}\fi  % which mirrors brackets, as XeTeX does
  \IfFontExistsTF{FreeSerif}{\setmainfont{FreeSerif}}{\IfFontExistsTF{DejaVu Serif}{\setmainfont{DejaVu Serif}}{}}
\else
  \usepackage[T1]{fontenc}
\fi
\usepackage{booktabs,graphicx,multicol}
\usepackage[margin=22mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\belowcaptionskip}{6pt}
\setlength{\parskip}{0.5\baselineskip}
\sloppy
\ifXeTeX\TeXXeTstate=1 \newcommand{\RL}[1]{\beginR #1\endR}\newcommand{\LR}[1]{\beginL #1\endL}\fi
\ifLuaTeX\newcommand{\RL}[1]{{\textdir TRT #1}}\newcommand{\LR}[1]{{\textdir TLT #1}}\fi
\providecommand{\RL}[1]{#1}
\providecommand{\LR}[1]{#1}
"""
MANY_FACTS = 12
"""More than so many stand in two columns."""
LEVELS = {1: "section", 2: "subsection"}


def as_latex(title: str, date: str, blocks: list[Block]) -> str:
    """The whole document; its figures are `figures/NAME.pdf`."""
    return "\n".join(
        [
            PREAMBLE,
            rf"\title{{{latex(title)}}}\author{{Glassloom}}\date{{{latex(date[:10])}}}",
            r"\begin{document}",
            r"\maketitle",
            r"\tableofcontents",
            *map(_block, blocks),
            r"\end{document}",
            "",
        ]
    )


def _block(block: Block) -> str:
    match block:
        case Heading():
            return rf"\{LEVELS[block.level]}{{{latex(block.text)}}}"
        case Paragraph():
            return latex(block.text) + "\n"
        case Grid():
            # as wide as the page where it would be wider
            fitted = rf"\resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{{_tabular(block)}}}"
            return _float("table", rf"\caption{{{latex(block.title)}. {latex(block.table.note)}}}{chr(10)}{fitted}")
        case Picture():
            caption = rf"\caption{{{latex(block.title)}. {latex(block.caption)}}}"
            return _float(
                "figure", rf"\includegraphics[width=\linewidth]{{figures/{block.name}.pdf}}{chr(10)}{caption}"
            )
        case Quote():
            aside = r"\raggedleft " if runs_leftwards(block.prompt + block.text) else ""
            body = rf"{{\itshape {_lines(block.prompt)}}}{_lines(block.text)}"
            return rf"\paragraph{{{latex(block.label)}}}\begin{{quote}}{aside}{body}\end{{quote}}"
        case Code():
            return rf"\begin{{quote}}\ttfamily {_lines(block.text)}\end{{quote}}"
        case Facts():
            items = "\n".join(rf"\item[{{{latex(name)}}}] {latex(value)}" for name, value in block.lines.items())
            told = rf"\begin{{description}}\setlength{{\itemsep}}{{0pt}}{chr(10)}{items}{chr(10)}\end{{description}}"
            many = len(block.lines) > MANY_FACTS
            return rf"\begin{{multicols}}{{2}}\footnotesize {told}\end{{multicols}}" if many else told


def _tabular(block: Grid) -> str:
    """The tabular alone, without the comments around it."""
    lines = table_as_latex(block.table).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("%", r"\providecommand")))


def _float(kind: str, body: str) -> str:
    return rf"\begin{{{kind}}}[htbp]\centering{chr(10)}{body}{chr(10)}\end{{{kind}}}"


def _lines(text: str) -> str:
    """Text that keeps its lines; an empty one too."""
    return r"\\".join(_line(line) if line.strip() else "{}~" for line in visible(text).split("\n"))


def _line(line: str) -> str:
    """A line with its indentation, and with the blank that it may end in: a continuation begins there."""
    indented = "~" * (len(line) - len(line.lstrip(" ")))
    return f"{{}}{indented}{latex(line.strip(' '))}{'{} ' if line.endswith(' ') else ''}"
