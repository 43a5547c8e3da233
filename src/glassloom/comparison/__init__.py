"""Many runs side by side: their results as plain data, the table of them, and which setting to take.

No torch here: what a comparison found can be read, tabled and judged without it.
"""

from glassloom.comparison.formats import rows_as_csv, table_as_latex, table_as_markdown, table_as_text
from glassloom.comparison.recommendation import recommend
from glassloom.comparison.results import (
    BaselineFigures,
    Comparison,
    ContinuedText,
    Copies,
    CorpusFacts,
    Curve,
    Point,
    Protocols,
    Reading,
    Recommendation,
    Row,
    Size,
)
from glassloom.comparison.seeds import Setting, Spread, settings_of
from glassloom.comparison.table import Cell, Column, Line, Table, comparison_table
from glassloom.comparison.verdicts import Candidate, front

__all__ = [
    "BaselineFigures",
    "Candidate",
    "Cell",
    "Column",
    "Comparison",
    "ContinuedText",
    "Copies",
    "CorpusFacts",
    "Curve",
    "Line",
    "Point",
    "Protocols",
    "Reading",
    "Recommendation",
    "Row",
    "Setting",
    "Size",
    "Spread",
    "Table",
    "comparison_table",
    "front",
    "recommend",
    "rows_as_csv",
    "settings_of",
    "table_as_latex",
    "table_as_markdown",
    "table_as_text",
]
