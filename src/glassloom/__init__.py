"""Glassloom: train small sequence language models on your own text, compare them fairly, and see through them."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glassloom.api import compare, evaluate, export, generate, gradcheck, train, view, write_report
    from glassloom.data import load_corpus, load_text
    from glassloom.exchange.importing import import_model
    from glassloom.experiment.run import run_recipe
    from glassloom.extending import add
    from glassloom.forecast import plan
    from glassloom.runs import load_run
    from glassloom.tuning import search

__version__ = "0.1.0"

_HOMES = {
    "add": "glassloom.extending",
    "compare": "glassloom.api",
    "evaluate": "glassloom.api",
    "export": "glassloom.api",
    "generate": "glassloom.api",
    "gradcheck": "glassloom.api",
    "import_model": "glassloom.exchange.importing",
    "load_corpus": "glassloom.data",
    "load_run": "glassloom.runs",
    "load_text": "glassloom.data",
    "plan": "glassloom.forecast",
    "run_recipe": "glassloom.experiment.run",
    "search": "glassloom.tuning",
    "train": "glassloom.api",
    "view": "glassloom.api",
    "write_report": "glassloom.api",
}

__all__ = [
    "add",
    "compare",
    "evaluate",
    "export",
    "generate",
    "gradcheck",
    "import_model",
    "load_corpus",
    "load_run",
    "load_text",
    "plan",
    "run_recipe",
    "search",
    "train",
    "view",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """The public functions, imported when they are first used: `import glassloom` alone loads no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    if "IPython" in sys.modules:
        importlib.import_module("glassloom.notebook").install()
    return found
