"""Many runs side by side: their results as plain data, the table of them, and which setting to take.

No torch here: what a comparison found can be read, tabled and judged without it.
"""

from glassloom.compare.results import (
    BaselineFigures,
    Comparison,
    ContinuedText,
    CorpusFacts,
    Curve,
    Point,
    Protocols,
    Recommendation,
    Row,
    Size,
)

__all__ = [
    "BaselineFigures",
    "Comparison",
    "ContinuedText",
    "CorpusFacts",
    "Curve",
    "Point",
    "Protocols",
    "Recommendation",
    "Row",
    "Size",
]
