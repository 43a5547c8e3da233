"""Plain data, and errors, as bytes for the page: JSON without what no browser reads."""

import json
import math
from typing import Any

from glassloom.errors import GlassloomError, RunError

FAULTS = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What a damaged run folder may bring about."""


def as_bytes(value: Any) -> bytes:
    """Plain data as JSON; a run folder may hold anything, so what is no number becomes null.

    >>> as_bytes({"a": [1.5, float("nan")]})
    b'{"a":[1.5,null]}'
    """
    try:
        content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        content = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return content.encode("utf-8", "replace")


def finite(value: Any) -> Any:
    """The same with None for every number that JSON, or a browser, has not.

    >>> finite({"a": [1.5, float("nan")], "b": 10**400})
    {'a': [1.5, None], 'b': None}
    """
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if isinstance(value, int) and abs(value) >= 2**63 else value


def json_line(value: Any) -> bytes:
    """Plain data as one line."""
    return as_bytes(value) + b"\n"


def as_error(error: GlassloomError) -> dict[str, Any]:
    """An error as the page is told it: one sentence, and its parts."""
    return {"error": {**error.as_dict(), "sentence": str(error)}}


def unforeseen(error: Exception) -> RunError:
    """What is said of an error that nobody thought of."""
    return RunError(
        f"This could not be answered ({type(error).__name__})", "a run folder that is whole",
        "look whether a file in it is damaged; the terminal has more",
    )  # fmt: skip
